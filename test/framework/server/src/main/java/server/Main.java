package server;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.web.context.WebServerApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.security.oauth2.common.OAuth2AccessToken;
import org.springframework.security.oauth2.provider.token.store.InMemoryTokenStore;

/**
 * Main runs authorization servers of Spring Security OAuth2, each on a port of its own, and the
 * control that starts and changes them, all on the loopback interface alone. It prints the port of
 * the control, and ends when its standard input does.
 *
 * <pre>
 * POST /start            Settings; the response is the port of a new authorization server
 * POST /change?8081      fields of Settings, for the server on that port
 * POST /forget?8081      the server loses all tokens, as one that keeps them in memory and restarts
 * POST /kill?8081        the access token in the body, a JSON string, is no longer known
 * POST /valid?8081       whether the access token in the body is valid: true or false
 * </pre>
 */
public class Main {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Map<String, ConfigurableApplicationContext> servers = new ConcurrentHashMap<>();

  public static void main(String[] args) throws IOException {
    int port = args.length > 0 ? Integer.parseInt(args[0]) : 0;
    HttpServer control =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
    Main main = new Main();
    control.createContext("/", main::handle);
    control.setExecutor(Executors.newFixedThreadPool(2));
    control.start();
    System.out.println(control.getAddress().getPort());
    while (System.in.read() >= 0) {}
    System.exit(0);
  }

  private void handle(HttpExchange exchange) throws IOException {
    int status = 200;
    String response;
    try {
      String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
      response = act(exchange.getRequestURI().getPath(), exchange.getRequestURI().getQuery(), body);
    } catch (Exception e) {
      status = 500;
      response = e.toString();
    }
    byte[] bytes = response.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }

  private String act(String path, String port, String body) throws IOException {
    if (path.equals("/start")) {
      return start(JSON.readValue(body, Settings.class));
    }
    ConfigurableApplicationContext server = servers.get(port);
    if (server == null) {
      throw new IllegalArgumentException("no server on port " + port);
    }
    InMemoryTokenStore tokens = server.getBean(InMemoryTokenStore.class);
    switch (path) {
      case "/change" -> JSON.readerForUpdating(server.getBean(Settings.class)).readValue(body);
      case "/forget" -> tokens.clear();
      case "/kill" -> tokens.removeAccessToken(JSON.readValue(body, String.class));
      case "/valid" -> {
        OAuth2AccessToken token = tokens.readAccessToken(JSON.readValue(body, String.class));
        return String.valueOf(token != null && !token.isExpired());
      }
      default -> throw new IllegalArgumentException(path);
    }
    return "";
  }

  private String start(Settings settings) {
    Map<String, Object> properties = new HashMap<>();
    properties.put("server.address", "127.0.0.1");
    properties.put("server.port", 0);
    properties.put("server.tomcat.threads.min-spare", 1);
    properties.put("spring.jmx.enabled", false);
    properties.put("spring.main.banner-mode", "off");
    properties.put("spring.main.allow-circular-references", true);
    properties.put("logging.level.root", "off"); // Tests provoke every error.
    ConfigurableApplicationContext server =
        new SpringApplicationBuilder(AuthorizationServer.class)
            .properties(properties)
            .initializers(c -> c.getBeanFactory().registerSingleton("settings", settings))
            .registerShutdownHook(false)
            .run();
    int port = ((WebServerApplicationContext) server).getWebServer().getPort();
    servers.put(String.valueOf(port), server);
    return String.valueOf(port);
  }
}
