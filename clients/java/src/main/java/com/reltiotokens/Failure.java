package com.reltiotokens;

import java.util.List;
import java.util.Set;

/**
 * What went wrong, as it is remembered: every caller gets an exception of its own. retryAfter is in
 * seconds, 0 if it is not known. A failure that is not stored says nothing about the next request.
 */
record Failure(String type, String message, long retryAfter, boolean stored) {
  private static final Set<String> AWAITED = Set.of("RateLimited", "ReltioUnavailable", "StoreUnavailable", "Internal");

  Failure(String type, String message) {
    this(type, message, 0, true);
  }

  /** Reports whether a call waits for it to pass. */
  boolean awaited() {
    return awaited(type);
  }

  static boolean awaited(String type) {
    return AWAITED.contains(type) || List.of("Runtime.", "Sandbox.", "Extension.").stream().anyMatch(type::startsWith);
  }
}
