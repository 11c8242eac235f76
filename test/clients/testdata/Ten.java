import com.reltiotokens.Token;
import com.reltiotokens.Tokens;

class Ten {
  public static void main(String[] arguments) {
    Tokens tokens = Tokens.builder("demo-client-credentials").build();
    Token token = tokens.get();
    System.out.println(token + " " + token.tenantId());
  }
}
