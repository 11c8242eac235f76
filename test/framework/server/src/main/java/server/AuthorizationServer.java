package server;

import java.util.List;
import java.util.Map;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.annotation.Order;
import org.springframework.security.authentication.AuthenticationManager;
import org.springframework.security.authentication.InternalAuthenticationServiceException;
import org.springframework.security.config.annotation.authentication.builders.AuthenticationManagerBuilder;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.annotation.web.configuration.WebSecurityConfigurerAdapter;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetails;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.core.userdetails.UsernameNotFoundException;
import org.springframework.security.crypto.password.NoOpPasswordEncoder;
import org.springframework.security.crypto.password.PasswordEncoder;
import org.springframework.security.oauth2.common.OAuth2RefreshToken;
import org.springframework.security.oauth2.config.annotation.configurers.ClientDetailsServiceConfigurer;
import org.springframework.security.oauth2.config.annotation.web.configuration.AuthorizationServerConfigurerAdapter;
import org.springframework.security.oauth2.config.annotation.web.configuration.EnableAuthorizationServer;
import org.springframework.security.oauth2.config.annotation.web.configurers.AuthorizationServerEndpointsConfigurer;
import org.springframework.security.oauth2.config.annotation.web.configurers.AuthorizationServerSecurityConfigurer;
import org.springframework.security.oauth2.provider.ClientDetails;
import org.springframework.security.oauth2.provider.ClientDetailsService;
import org.springframework.security.oauth2.provider.NoSuchClientException;
import org.springframework.security.oauth2.provider.client.BaseClientDetails;
import org.springframework.security.oauth2.provider.client.ClientDetailsUserDetailsService;
import org.springframework.security.oauth2.provider.error.OAuth2AuthenticationEntryPoint;
import org.springframework.security.oauth2.provider.token.ConsumerTokenServices;
import org.springframework.security.oauth2.provider.token.store.InMemoryTokenStore;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

/**
 * AuthorizationServer is the framework with what an application has to add: Reltio's paths, where
 * clients and users are kept, and revoke, which the framework does not have.
 */
@EnableAutoConfiguration
@EnableAuthorizationServer
@Configuration
@SuppressWarnings("deprecation") // The framework is.
class AuthorizationServer extends AuthorizationServerConfigurerAdapter {
  private final Settings settings;
  private final UserDetailsService users;
  private final AuthenticationManager authentication;
  private final InMemoryTokenStore tokens;

  AuthorizationServer(Settings settings, UserDetailsService users, AuthenticationManager authentication,
      InMemoryTokenStore tokens) {
    this.settings = settings;
    this.users = users;
    this.authentication = authentication;
    this.tokens = tokens;
  }

  @Override
  public void configure(AuthorizationServerEndpointsConfigurer endpoints) {
    endpoints
        .pathMapping("/oauth/check_token", "/oauth/checkToken")
        .pathMapping("/oauth/authorize", "/oauth/sso")
        .tokenStore(tokens)
        .reuseRefreshTokens(!settings.rotateRefreshTokens)
        .authenticationManager(authentication)
        .userDetailsService(users);
  }

  @Override
  public void configure(AuthorizationServerSecurityConfigurer security) {
    if (settings.checkToken) {
      security.checkTokenAccess("isAuthenticated()");
    }
    if (settings.formAuthentication) {
      security.allowFormAuthenticationForClients();
    }
    if (!settings.bootEntryPoint) {
      security.authenticationEntryPoint(entryPoint());
    }
  }

  @Override
  public void configure(ClientDetailsServiceConfigurer clients) throws Exception {
    clients.withClientDetails(id -> client(settings, id));
  }

  private static OAuth2AuthenticationEntryPoint entryPoint() {
    OAuth2AuthenticationEntryPoint entryPoint = new OAuth2AuthenticationEntryPoint();
    entryPoint.setTypeName("Basic");
    entryPoint.setRealmName("oauth2/client");
    return entryPoint;
  }

  private static ClientDetails client(Settings settings, String id) {
    if (!settings.clientStoreDown.isEmpty()) {
      throw new IllegalStateException(settings.clientStoreDown);
    }
    Settings.Client client = settings.clients.get(id);
    if (client == null) {
      throw new NoSuchClientException("No client with requested id: " + id);
    }
    BaseClientDetails details = new BaseClientDetails(id, null, String.join(",", client.scopes()),
        String.join(",", client.grants()), null, String.join(",", client.redirects()));
    details.setClientSecret(client.secret());
    details.setAccessTokenValiditySeconds(client.accessSeconds());
    details.setRefreshTokenValiditySeconds(client.refreshSeconds());
    details.setAutoApproveScopes(List.of("true"));
    return details;
  }

  /** Stores are what the application keeps. */
  @Configuration
  static class Stores {
    @Bean
    InMemoryTokenStore tokenStore() {
      return new InMemoryTokenStore();
    }

    @Bean
    PasswordEncoder passwordEncoder() {
      return NoOpPasswordEncoder.getInstance();
    }

    @Bean
    UserDetailsService users(Settings settings) {
      return name -> user(settings, name);
    }

    private static UserDetails user(Settings settings, String name) {
      if (!settings.userStoreDown.isEmpty()) {
        throw settings.userStoreThrowsOther
            ? new IllegalStateException(settings.userStoreDown)
            : new InternalAuthenticationServiceException(settings.userStoreDown);
      }
      Settings.User user = settings.users.get(name);
      if (user == null) {
        throw new UsernameNotFoundException(name);
      }
      return User.withUsername(name).password(user.password()).authorities("ROLE_USER")
          .accountLocked(user.locked()).disabled(user.disabled()).credentialsExpired(user.expired())
          .build();
    }
  }

  /** People log in by a form at every path that belongs to nobody else: /oauth/sso. */
  @Configuration
  static class Login extends WebSecurityConfigurerAdapter {
    @Bean
    @Override
    public AuthenticationManager authenticationManagerBean() throws Exception {
      return super.authenticationManagerBean();
    }

    @Override
    protected void configure(HttpSecurity http) throws Exception {
      http.authorizeRequests().antMatchers("/error").permitAll().anyRequest().authenticated()
          .and().formLogin();
    }
  }

  /** Revoke takes an access token, with its refresh token, or a refresh token, with its access token. */
  @RestController
  record Revoke(ConsumerTokenServices services, InMemoryTokenStore tokens) {
    @PostMapping("/oauth/revoke")
    Map<String, String> revoke(@RequestParam String token) {
      OAuth2RefreshToken refresh = tokens.readRefreshToken(token);
      if (refresh == null) {
        services.revokeToken(token);
      } else {
        tokens.removeAccessTokenUsingRefreshToken(refresh);
        tokens.removeRefreshToken(refresh);
      }
      return Map.of("status", "success");
    }
  }

  /** A client that revokes authenticates itself in the Basic header. */
  @Configuration
  @Order(1)
  static class RevokeAccess extends WebSecurityConfigurerAdapter {
    private final ClientDetailsService clients;

    RevokeAccess(ClientDetailsService clients) {
      this.clients = clients;
    }

    @Override
    protected void configure(AuthenticationManagerBuilder builder) throws Exception {
      builder.userDetailsService(new ClientDetailsUserDetailsService(clients));
    }

    @Override
    protected void configure(HttpSecurity http) throws Exception {
      http.antMatcher("/oauth/revoke").authorizeRequests().anyRequest().authenticated()
          .and().httpBasic().authenticationEntryPoint(entryPoint()).and().csrf().disable();
    }
  }
}
