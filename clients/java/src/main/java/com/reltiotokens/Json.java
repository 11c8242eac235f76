package com.reltiotokens;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads JSON (RFC 8259): objects as Map, arrays as List, whole numbers as Long, others as Double. Its
 * exception shows nothing of the text.
 */
final class Json {
  private static final int DEPTH = 64;

  private final String text;
  private int at;
  private int depth;

  private Json(String text) {
    this.text = text;
  }

  /** The text is no JSON. */
  static final class Malformed extends Exception {
    private static final long serialVersionUID = 1L;
  }

  static Object read(String text) throws Malformed {
    Json json = new Json(text);
    Object value = json.value();
    json.space();
    json.require(json.at == text.length());
    return value;
  }

  /** Writes a text as JSON, in ASCII. */
  static String quoted(String text) {
    StringBuilder json = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') {
        json.append('\\').append(c);
      } else if (c < ' ' || c > '~') {
        json.append(String.format("\\u%04x", (int) c));
      } else {
        json.append(c);
      }
    }
    return json.append('"').toString();
  }

  private void require(boolean holds) throws Malformed {
    if (!holds) {
      throw new Malformed();
    }
  }

  private void space() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private char peek() throws Malformed {
    require(at < text.length());
    return text.charAt(at);
  }

  private boolean take(String word) {
    if (!text.startsWith(word, at)) {
      return false;
    }
    at += word.length();
    return true;
  }

  private Object value() throws Malformed {
    space();
    require(depth++ < DEPTH);
    Object value;
    switch (peek()) {
      case '{' -> value = object();
      case '[' -> value = array();
      case '"' -> value = string();
      default -> value = word();
    }
    depth--;
    return value;
  }

  private Object word() throws Malformed {
    if (take("null")) {
      return null;
    }
    if (take("true")) {
      return true;
    }
    return take("false") ? Boolean.FALSE : number();
  }

  private Object number() throws Malformed {
    int start = at;
    while (at < text.length() && "+-.0123456789Ee".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
    String digits = text.substring(start, at);
    require(digits.matches("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([Ee][+-]?[0-9]+)?"));
    if (digits.matches("-?[0-9]{1,18}")) {
      return Long.valueOf(digits);
    }
    return Double.valueOf(digits);
  }

  private Map<String, Object> object() throws Malformed {
    Map<String, Object> members = new LinkedHashMap<>();
    at++;
    space();
    if (take("}")) {
      return members;
    }
    do {
      space();
      require(peek() == '"');
      String name = string();
      space();
      require(take(":"));
      members.put(name, value());
      space();
    } while (take(","));
    require(take("}"));
    return members;
  }

  private List<Object> array() throws Malformed {
    List<Object> elements = new ArrayList<>();
    at++;
    space();
    if (take("]")) {
      return elements;
    }
    do {
      elements.add(value());
      space();
    } while (take(","));
    require(take("]"));
    return elements;
  }

  private String string() throws Malformed {
    StringBuilder read = new StringBuilder();
    at++;
    for (char c = peek(); c != '"'; c = peek()) {
      at++;
      require(c >= ' ');
      read.append(c == '\\' ? escape() : c);
    }
    at++;
    return read.toString();
  }

  private char escape() throws Malformed {
    char c = peek();
    at++;
    if (c == 'u') {
      require(at + 4 <= text.length() && text.substring(at, at + 4).matches("[0-9a-fA-F]{4}"));
      at += 4;
      return (char) Integer.parseInt(text.substring(at - 4, at), 16);
    }
    int which = "\"\\/bfnrt".indexOf(c);
    require(which >= 0);
    return "\"\\/\b\f\n\r\t".charAt(which);
  }
}
