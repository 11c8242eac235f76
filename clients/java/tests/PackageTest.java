package com.reltiotokens;

import java.io.ByteArrayOutputStream;
import java.io.ObjectOutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** What the cases of the contract do not say: threads, interrupts, printing. The argument is the stub's address. */
final class PackageTest {
  private PackageTest() {}

  private static void check(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }

  private static String invocations(String stub, String connection) throws Exception {
    HttpRequest request = HttpRequest.newBuilder(URI.create(stub + "/count?connection=" + connection)).build();
    return HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
  }

  private static void threadsShareAnInvocation(String stub) throws Exception {
    Tokens tokens = Tokens.builder("slow-threads").build();
    ExecutorService pool = Executors.newFixedThreadPool(100);
    List<Future<String>> got = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      got.add(pool.submit(() -> tokens.get().fingerprint()));
    }
    for (Future<String> one : got) {
      check(one.get().equals(got.get(0).get()), "threads got different tokens");
    }
    pool.shutdown();
    check(invocations(stub, "slow-threads").equals("1"), "threads did not share an invocation");
  }

  private static void anInterruptEndsAWait() throws Exception {
    Tokens tokens = Tokens.builder("slow-interrupt").build();
    Thread.currentThread().interrupt();
    try {
      tokens.get();
      throw new AssertionError("an interrupted thread got a token");
    } catch (TokenException e) {
      check(Thread.interrupted(), "the interrupt was swallowed");
    }
    check(tokens.get().fingerprint().startsWith("sha256:"), "no token after an interrupt");
  }

  private static void nothingThatIsPrintedShowsTheToken() throws Exception {
    Tokens tokens = Tokens.builder("good-printing").build();
    Token token = tokens.get();
    check(token.accessToken().startsWith("token-of-"), "no token");
    check(!(token + " " + tokens + " " + List.of(token)).contains("token-of-"), "printing shows the token");
  }

  private static void anErrorShowsNoSecret() throws Exception {
    for (String connection : List.of("failing-ReauthorizationRequired", "no-such")) {
      try {
        Tokens.builder(connection).timeout(Duration.ofSeconds(5)).build().get();
        throw new AssertionError("a token of " + connection);
      } catch (TokenException e) {
        StringWriter shown = new StringWriter();
        e.printStackTrace(new PrintWriter(shown));
        ByteArrayOutputStream serialized = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(serialized)) {
          out.writeObject(e);
        }
        String all = shown + serialized.toString(StandardCharsets.ISO_8859_1);
        check(!all.contains(System.getenv("AWS_SESSION_TOKEN")), "an error shows the session token");
      }
    }
  }

  public static void main(String[] arguments) throws Exception {
    threadsShareAnInvocation(arguments[0]);
    anInterruptEndsAWait();
    nothingThatIsPrintedShowsTheToken();
    anErrorShowsNoSecret();
  }
}
