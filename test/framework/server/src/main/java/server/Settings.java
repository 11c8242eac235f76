package server;

import java.util.List;
import java.util.Map;

/** Settings are those of one authorization server, in the JSON of the control's requests. */
class Settings {
  // Those that are read when the server starts.

  /** Whether a refresh returns a new refresh token. By default it returns the one that was sent. */
  public boolean rotateRefreshTokens;
  /** Whether clients may call checkToken. By default nobody may. */
  public boolean checkToken;
  /** Whether clients may authenticate themselves in the form of the token endpoint. */
  public boolean formAuthentication;
  /** Whether a refused client is told so by Boot's page, or in OAuth's words, as Reltio does. */
  public boolean bootEntryPoint;

  // Those that can be changed while it runs.

  public volatile Map<String, Client> clients = Map.of();
  public volatile Map<String, User> users = Map.of();
  /** What the stores' exceptions say while they are down; empty while they are up. */
  public volatile String userStoreDown = "", clientStoreDown = "";
  /** Whether the user store throws an exception that is none of Spring Security's. */
  public volatile boolean userStoreThrowsOther;

  record Client(String secret, List<String> grants, List<String> scopes, List<String> redirects,
      int accessSeconds, int refreshSeconds) {}

  record User(String password, boolean locked, boolean disabled, boolean expired) {}
}
