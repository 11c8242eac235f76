package operator

import "context"

// About is what an Operator was told of its surroundings.
type About struct {
	// AuthHosts are the authorization servers that a connection may name, each
	// as host:port.
	AuthHosts []string `json:"auth_hosts"`
	// CallbackURL is where the callback function answers, without a slash at
	// its end; empty if nobody said it.
	CallbackURL string `json:"callback_url"`
}

// About says what the Operator was told. It asks nobody; in another process it
// answers if that one lives.
func (o *Service) About(context.Context) (About, error) {
	return About{AuthHosts: append([]string{}, o.Hosts...), CallbackURL: o.CallbackURL}, nil
}
