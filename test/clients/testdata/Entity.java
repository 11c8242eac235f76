import com.reltiotokens.Token;
import com.reltiotokens.Tokens;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;

class Entity {
  public static void main(String[] arguments) throws Exception {
    Token token = Tokens.builder(arguments[0]).build().get();
    URI uri = URI.create(token.apiUrl() + "/entities/1");
    HttpRequest request = HttpRequest.newBuilder(uri).header("Authorization", token.authorization()).build();
    System.out.println(HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body());
  }
}
