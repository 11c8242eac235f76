package com.reltiotokens;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import software.amazon.awssdk.awscore.exception.AwsErrorDetails;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.awscore.retry.AwsRetryStrategy;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.exception.AbortedException;
import software.amazon.awssdk.core.exception.ApiCallAttemptTimeoutException;
import software.amazon.awssdk.core.exception.ApiCallTimeoutException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.services.lambda.LambdaClient;
import software.amazon.awssdk.services.lambda.model.InvokeResponse;

/** Asks issue through Lambda's API. */
final class Asker {
  /** The longest that one invocation may take. */
  static final Duration INVOKE_TIME = Duration.ofSeconds(30);

  private static LambdaClient own;

  private final String function;
  private final LambdaClient given;

  Asker(String function, LambdaClient given) {
    this.function = function;
    this.given = given;
  }

  /** Returns the client of this process. It keeps no connection, which may have died while the environment was frozen. */
  private static synchronized LambdaClient own() {
    if (own == null) {
      own =
          LambdaClient.builder()
              .httpClientBuilder(UrlConnectionHttpClient.builder().connectionTimeout(Duration.ofSeconds(3)).socketTimeout(INVOKE_TIME))
              .overrideConfiguration(
                  o -> o.retryStrategy(AwsRetryStrategy.doNotRetry()).apiCallTimeout(INVOKE_TIME).putHeader("Connection", "close"))
              .build();
    }
    return own;
  }

  /** Asks once. It never throws. */
  Reader.Result ask(String connection, Memory.Wish wish, Clock clock) {
    StringBuilder payload = new StringBuilder("{\"connection\":").append(Json.quoted(connection));
    if (wish.minTtlMillis() > 0) {
      payload.append(",\"min_ttl_seconds\":").append((wish.minTtlMillis() + 999) / 1000);
    }
    if (!wish.rejected().isEmpty()) {
      payload.append(",\"rejected_fingerprint\":\"").append(wish.rejected()).append('"');
    }
    payload.append('}');
    try {
      LambdaClient client = given == null ? own() : given;
      long asked = clock.millis();
      InvokeResponse response = client.invoke(r -> r.functionName(function).payload(SdkBytes.fromUtf8String(payload.toString())));
      byte[] answer = response.payload() == null ? new byte[0] : response.payload().asByteArray();
      return response.functionError() == null ? Reader.answer(answer, asked) : new Reader.Result(null, Reader.functionError(answer));
    } catch (SdkException e) {
      return new Reader.Result(null, failureOf(e));
    } catch (RuntimeException | LinkageError e) {
      return new Reader.Result(null, new Failure("Internal", e.getClass().getSimpleName()));
    }
  }

  private static Failure failureOf(SdkException e) {
    if (e instanceof AwsServiceException refused) {
      AwsErrorDetails details = refused.awsErrorDetails();
      String code = details == null ? "" : String.valueOf(details.errorCode());
      // A refused signature is explained by the whole request, with its session token.
      String words = details == null ? "" : String.valueOf(details.errorMessage()).split("The Canonical String", 2)[0];
      Optional<String> retryAfter =
          details == null ? Optional.empty() : Optional.ofNullable(details.sdkHttpResponse()).flatMap(r -> r.firstMatchingHeader("Retry-After"));
      return Reader.status(refused.statusCode(), Reader.oneLine(code + ": " + words), retryAfter.orElse(""));
    }
    String name = e.getClass().getSimpleName();
    if (network(e)) {
      return new Failure("StoreUnavailable", name + ": Lambda was not reached");
    }
    String message = Reader.oneLine(name + ": " + e.getMessage());
    return new Failure(message.toLowerCase(java.util.Locale.ROOT).contains("credentials") ? "AccessDenied" : "InvalidRequest", message);
  }

  private static boolean network(Throwable e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof IOException
          || cause instanceof ApiCallTimeoutException
          || cause instanceof ApiCallAttemptTimeoutException
          || cause instanceof AbortedException
          || cause instanceof java.io.UncheckedIOException) {
        return true;
      }
    }
    return false;
  }
}
