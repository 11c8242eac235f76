package com.reltiotokens;

import java.util.List;

/** An answer of issue, as it is kept. ends is when the token expires, by this machine's clock. */
record Answer(
    String accessToken,
    String tokenType,
    String scope,
    long ends,
    String fingerprint,
    long version,
    String apiUrl,
    String tenantId,
    List<String> warnings) {

  @Override
  public String toString() {
    return "Answer(" + fingerprint + ")";
  }
}
