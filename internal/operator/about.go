package operator

import "context"

// About is the configuration of a Service.
type About struct {
	// AuthHosts are the authorization servers that a connection may name, each
	// as host:port.
	AuthHosts []string `json:"auth_hosts"`
	// CallbackURL is the address of the callback function, without a slash at its
	// end; empty if unknown.
	CallbackURL string `json:"callback_url"`
}

// About returns the configuration. It makes no call. In another process it shows
// that that process is running.
func (o *Service) About(context.Context) (About, error) {
	return About{AuthHosts: append([]string{}, o.Hosts...), CallbackURL: o.CallbackURL}, nil
}
