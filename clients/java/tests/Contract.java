package com.reltiotokens;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.services.lambda.LambdaClient;
import software.amazon.awssdk.services.lambda.model.InvokeRequest;
import software.amazon.awssdk.services.lambda.model.InvokeResponse;

/** Runs the cases of clients/contract/cases.json with the jar, as contract.py does. The argument is the stub's address. */
final class Contract {
  private static final long BEGAN = 1_800_000_000_000L;

  private Contract() {}

  /** Time passes when the client waits, and when a case says so. */
  private static final class Virtual implements Clock {
    volatile long wall = BEGAN;
    volatile long passed;
    private final boolean real;
    private final boolean shortest;

    /**
     * What is really waited for counts where an answer does not come; elsewhere a slow machine would. The
     * shortest waits leave that the most of a short timeout.
     */
    Virtual(List<?> answers, boolean shortest) {
      this.shortest = shortest;
      real = answers.stream().anyMatch(a -> ((Map<?, ?>) a).containsKey("silence") || ((Map<?, ?>) a).containsKey("half"));
    }

    @Override
    public long millis() {
      return wall;
    }

    @Override
    public long monotonicMillis() {
      return passed + (real ? System.nanoTime() / 1_000_000 : 0);
    }

    @Override
    public double random() {
      return shortest ? 0 : Clock.super.random();
    }

    @Override
    public void sleep(long millis) {
      wall = wall + millis;
      passed = passed + millis;
    }
  }

  /** A client with which an answer takes as long as its case says. */
  private record Slow(LambdaClient client, Virtual clock, List<?> answers, int[] n) implements LambdaClient {
    @Override
    public InvokeResponse invoke(InvokeRequest request) {
      InvokeResponse response = client.invoke(request);
      Map<?, ?> answer = (Map<?, ?>) answers.get(Math.min(n[0]++, answers.size() - 1));
      clock.sleep((long) (number(answer.get("takes"), 0) * 1000));
      return response;
    }

    @Override
    public String serviceName() {
      return client.serviceName();
    }

    @Override
    public void close() {
      client.close();
    }
  }

  private static double number(Object value, double otherwise) {
    return value instanceof Number n ? n.doubleValue() : otherwise;
  }

  private static Duration seconds(double seconds) {
    return Duration.ofMillis((long) Math.ceil(seconds * 1000));
  }

  private static String fingerprint(Object rejected) throws Exception {
    if (!(rejected instanceof Long n)) {
      return rejected == null ? "" : (String) rejected;
    }
    byte[] hash = MessageDigest.getInstance("SHA-256").digest(("token-" + n).getBytes(StandardCharsets.UTF_8));
    return "sha256:" + HexFormat.of().formatHex(hash).substring(0, 32);
  }

  private static String did(Tokens tokens, Map<?, ?> call) throws Exception {
    try {
      Token t = tokens.get(new Need(seconds(number(call.get("min_ttl"), 0)), fingerprint(call.get("rejected"))));
      String warnings = String.join(",", t.warnings().stream().map(Json::quoted).toList());
      return "\"got\":%s,\"fields\":{\"token_type\":%s,\"scope\":%s,\"version\":%d,\"min_ttl_met\":%b,\"api_url\":%s,\"tenant_id\":%s,\"warnings\":[%s]}"
          .formatted(
              Json.quoted(t.accessToken().replace("token-", "token ")), Json.quoted(t.tokenType()), Json.quoted(t.scope()), t.version(),
              t.minTtlMet(), Json.quoted(t.apiUrl()), Json.quoted(t.tenantId()), warnings);
    } catch (TokenException e) {
      return "\"got\":%s,\"message\":%s".formatted(Json.quoted(e.type()), Json.quoted(e.getMessage().substring(e.type().length() + 2)));
    }
  }

  private static String run(String stub, String number, Map<?, ?> scenario) throws Exception {
    Map<?, ?> options = scenario.get("options") instanceof Map<?, ?> m ? m : Map.of();
    List<?> answers = (List<?>) scenario.get("answers");
    Virtual clock = new Virtual(answers, options.containsKey("timeout"));
    Options builder = Tokens.builder("case-" + number).clock(clock);
    if (answers.stream().anyMatch(a -> ((Map<?, ?>) a).containsKey("takes"))) {
      LambdaClient client = LambdaClient.builder().httpClientBuilder(UrlConnectionHttpClient.builder()).build();
      builder.client(new Slow(client, clock, answers, new int[1]));
    }
    if (options.containsKey("timeout")) {
      builder.timeout(seconds(number(options.get("timeout"), 0)));
    }
    if (options.containsKey("max_retry_wait")) {
      builder.maxRetryWait(seconds(number(options.get("max_retry_wait"), 0)));
    }
    if (options.containsKey("refresh_before")) {
      builder.refreshBefore(seconds(number(options.get("refresh_before"), 0)));
    }
    Tokens tokens = builder.build();
    StringBuilder all = new StringBuilder();
    for (Object one : (List<?>) scenario.get("calls")) {
      Map<?, ?> call = (Map<?, ?>) one;
      if (call.containsKey("at")) {
        clock.wall = BEGAN + (long) (number(call.get("at"), 0) * 1000);
      }
      long passed = clock.passed;
      long began = System.nanoTime();
      String did = did(tokens, call);
      double took = (System.nanoTime() - began) / 1e9;
      all.append(all.isEmpty() ? "" : ",").append("{").append(did)
          .append(",\"waited\":" + (clock.passed - passed) / 1000.0 + ",\"took\":" + took)
          .append(",\"invocations\":" + count(stub, "case-" + number) + "}");
    }
    return all.toString();
  }

  private static String count(String stub, String connection) throws IOException, InterruptedException {
    HttpRequest request = HttpRequest.newBuilder(URI.create(stub + "/count?connection=" + connection)).build();
    return HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
  }

  public static void main(String[] arguments) throws Exception {
    Object cases = Json.read(new String(System.in.readAllBytes(), StandardCharsets.UTF_8));
    StringBuilder all = new StringBuilder();
    for (Map.Entry<?, ?> one : ((Map<?, ?>) cases).entrySet()) {
      all.append(all.isEmpty() ? "" : ",").append(Json.quoted((String) one.getKey()))
          .append(":[").append(run(arguments[0], (String) one.getKey(), (Map<?, ?>) one.getValue())).append("]");
    }
    System.out.println("{" + all + "}");
  }
}
