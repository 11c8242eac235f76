package com.reltiotokens;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads what issue or Lambda answers. A failure names a key, never its value. */
final class Reader {
  /** The longest wait that an answer can ask for, in seconds. */
  static final long MAX_RETRY_AFTER = 300;

  private static final int MAX_ANSWER = 256 << 10;
  private static final int MAX_TOKEN = 16384;
  private static final long MAX_EXPIRES_IN = 31L * 24 * 3600;
  private static final int MAX_MESSAGE = 256;
  private static final Pattern RETRY = Pattern.compile("\\bretry after ([0-9]+) s\\b");
  private static final Map<String, Class<?>> TYPES =
      Map.ofEntries(
          Map.entry("connection", String.class),
          Map.entry("access_token", String.class),
          Map.entry("token_type", String.class),
          Map.entry("scope", String.class),
          Map.entry("expires_in", Long.class),
          Map.entry("expires_at", String.class),
          Map.entry("fingerprint", String.class),
          Map.entry("version", Long.class),
          Map.entry("outcome", String.class),
          Map.entry("min_ttl_met", Boolean.class),
          Map.entry("warnings", List.class),
          Map.entry("api_url", String.class),
          Map.entry("tenant_id", String.class));

  private Reader() {}

  /** What was read: one of the two is null. */
  record Result(Answer answer, Failure failure) {}

  static boolean isFingerprint(String text) {
    return text.matches("sha256:[0-9a-f]{32}");
  }

  /** Returns a text fit for a log: printable, on one line, at most 256 characters. */
  static String oneLine(Object value) {
    String text = value instanceof String s ? s : "";
    String cut = text.substring(0, Math.min(text.length(), 4 * MAX_MESSAGE));
    String shown = cut.replaceAll("[\\p{C}\\p{Z}\\uFFFD]+", " ").strip();
    return shown.codePointCount(0, shown.length()) <= MAX_MESSAGE ? shown : shown.substring(0, shown.offsetByCodePoints(0, MAX_MESSAGE));
  }

  /** Reads a time to wait, at most five minutes; 0 if the text is no number. */
  static long seconds(String text) {
    if (!text.matches("[0-9]+")) {
      return 0;
    }
    return text.length() > 9 ? MAX_RETRY_AFTER : Math.min(Long.parseLong(text), MAX_RETRY_AFTER);
  }

  /** Reads an answer to an invocation that began at asked. */
  static Result answer(byte[] payload, long asked) {
    Map<?, ?> members = object(payload);
    String wrong = members == null ? notAnAnswer(payload) : wrongKey(members);
    if (!wrong.isEmpty()) {
      return new Result(null, new Failure("InvalidAnswer", "this is no answer of issue: " + wrong));
    }
    Answer answer =
        new Answer(
            text(members, "access_token"),
            text(members, "token_type"),
            text(members, "scope"),
            asked + number(members, "expires_in") * 1000,
            text(members, "fingerprint"),
            number(members, "version"),
            oneLine(members.get("api_url")),
            oneLine(members.get("tenant_id")),
            members.get("warnings") instanceof List<?> list ? list.stream().map(String.class::cast).toList() : List.of());
    return new Result(answer, null);
  }

  private static String notAnAnswer(byte[] payload) {
    return payload.length > MAX_ANSWER ? "too long" : "not the JSON of an answer";
  }

  /** Returns the members of a JSON object; null if it is none. */
  private static Map<?, ?> object(byte[] payload) {
    try {
      Object value = payload.length > MAX_ANSWER ? null : Json.read(new String(payload, StandardCharsets.UTF_8));
      return value instanceof Map<?, ?> members ? members : null;
    } catch (Json.Malformed malformed) {
      return null;
    }
  }

  private static String text(Map<?, ?> members, String name) {
    return members.get(name) instanceof String text ? text : "";
  }

  private static long number(Map<?, ?> members, String name) {
    return members.get(name) instanceof Long number ? number : 0;
  }

  /** Returns the name of a key whose value cannot be; empty if there is none. */
  private static String wrongKey(Map<?, ?> members) {
    for (Map.Entry<String, Class<?>> type : TYPES.entrySet()) {
      Object value = members.get(type.getKey());
      if (value != null && !type.getValue().isInstance(value)) {
        return type.getKey();
      }
    }
    String token = text(members, "access_token");
    if (token.length() > MAX_TOKEN || !token.matches("[!-~]+")) {
      return "access_token";
    }
    long life = number(members, "expires_in");
    if (life < 1 || life > MAX_EXPIRES_IN) {
      return "expires_in";
    }
    if (members.get("warnings") instanceof List<?> list && !list.stream().allMatch(String.class::isInstance)) {
      return "warnings";
    }
    return isFingerprint(text(members, "fingerprint")) ? "" : "fingerprint";
  }

  /** Reads the error of a function that failed. One without a readable error has a defect. */
  static Failure functionError(byte[] payload) {
    Map<?, ?> members = object(payload);
    if (members == null) {
      return new Failure("Internal", "");
    }
    String type = text(members, "errorType");
    String message = oneLine(members.get("errorMessage"));
    if (!type.matches("[!-~]{1,128}")) {
      return new Failure("Internal", message);
    }
    Matcher said = RETRY.matcher(message);
    long retryAfter = type.equals("RateLimited") && said.find() ? seconds(said.group(1)) : 0;
    return new Failure(type, message, retryAfter, !type.equals("InvalidRequest"));
  }

  /** Reads an answer of Lambda's own. */
  static Failure status(int status, String message, String retryAfter) {
    if (status == 429) {
      return new Failure("RateLimited", message, seconds(retryAfter), true);
    }
    if (status == 401 || status == 403) {
      return new Failure("AccessDenied", message);
    }
    boolean passes = status < 400 || status >= 500 || status == 408 || status == 409;
    return new Failure(passes ? "StoreUnavailable" : "InvalidRequest", message);
  }
}
