package com.reltiotokens;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** An integration as a Lambda function: it reads entities of a tenant, ten at a time, as app.py does. */
final class Function {
  private static final Tokens TOKENS = Tokens.builder(System.getenv("RELTIO_CONNECTION")).build();
  private static final HttpClient HTTP = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  private Function() {}

  private static HttpResponse<String> send(Token token, String path) throws IOException, InterruptedException {
    URI uri = URI.create(System.getenv("RELTIO_API") + "/" + path);
    HttpRequest request = HttpRequest.newBuilder(uri).header("Authorization", token.authorization()).build();
    return HTTP.send(request, HttpResponse.BodyHandlers.ofString());
  }

  private static String entity(String name) throws IOException, InterruptedException {
    Token token = TOKENS.get();
    HttpResponse<String> response = send(token, "entities/" + name);
    if (response.statusCode() == 401) {
      Token other = TOKENS.get(Need.rejected(token.fingerprint()));
      if (!other.fingerprint().equals(token.fingerprint())) {
        response = send(other, "entities/" + name);
      }
    }
    if (response.statusCode() >= 400) {
      throw new IOException("GET entities: " + response.statusCode());
    }
    return response.body();
  }

  private static String handle(String event) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(10);
    try {
      List<Future<String>> answers = new ArrayList<>();
      for (Object name : (List<?>) ((Map<?, ?>) Json.read(event)).get("entities")) {
        answers.add(pool.submit(() -> entity(String.valueOf(name))));
      }
      List<String> texts = new ArrayList<>();
      for (Future<String> answer : answers) {
        texts.add(answer.get());
      }
      return "[" + String.join(",", texts) + "]";
    } finally {
      pool.shutdown();
    }
  }

  /** Speaks the Runtime API of Lambda. */
  public static void main(String[] arguments) throws Exception {
    String api = "http://" + System.getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/";
    while (true) {
      HttpResponse<String> next = HTTP.send(HttpRequest.newBuilder(URI.create(api + "next")).build(), HttpResponse.BodyHandlers.ofString());
      String id = next.headers().firstValue("Lambda-Runtime-Aws-Request-Id").orElseThrow();
      String path = id + "/response";
      String answer;
      try {
        answer = handle(next.body());
      } catch (Exception e) {
        path = id + "/error";
        answer = "{\"errorType\":" + Json.quoted(e.getClass().getName()) + ",\"errorMessage\":" + Json.quoted(String.valueOf(e.getMessage())) + "}";
      }
      HTTP.send(HttpRequest.newBuilder(URI.create(api + path)).POST(HttpRequest.BodyPublishers.ofString(answer)).build(), HttpResponse.BodyHandlers.discarding());
    }
  }
}
