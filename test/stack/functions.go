package stack

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/reltio-tokens/reltio-tokens/internal/config"
	"github.com/reltio-tokens/reltio-tokens/test/lambdahost"
)

// alias is the one that the template publishes.
const alias = "live"

// deploy deploys the functions as the template does.
func (s *Stack) deploy(context.Context) error {
	for _, f := range []lambdahost.Function{
		{Name: issue, MemoryMB: 256, Timeout: 25 * time.Second, Env: s.environment(issue, DynamoDB, Lambda)},
		{
			Name: rotate, MemoryMB: 512, Timeout: 120 * time.Second,
			// The next tick is the retry.
			Async: lambdahost.Async{MaximumRetryAttempts: -1, MaximumEventAge: time.Minute},
			Env:   s.environment(rotate, DynamoDB, SecretsManager, EventBridge),
		},
		{Name: callback, MemoryMB: 256, Timeout: 29 * time.Second, Env: s.environment(callback, DynamoDB, SecretsManager, EventBridge)},
	} {
		f.Command = []string{filepath.Join(s.config.Binaries, f.Name, "bootstrap")}
		f.Aliases, f.LogFormat, f.Log = []string{alias}, "JSON", s.config.Log
		if s.config.Change != nil {
			s.config.Change(&f)
		}
		if err := s.Host.Deploy(f); err != nil {
			return err
		}
	}
	return nil
}

// Variables are what a program of the stack is told by its environment: the
// table and where it reaches each of the services; if Secrets Manager is one of
// them, also whose secrets, which hosts they may name, and where people come
// back to. via, if not nil, says where a service is reached that is at endpoint.
func (s *Stack) Variables(via func(s Service, endpoint string) string, services ...Service) map[string]string {
	all := map[string]string{config.TableName: s.Table.Name}
	for _, service := range services {
		endpoint := s.Endpoints[service]
		if service == Lambda {
			endpoint = s.LambdaURL
		}
		if via != nil {
			endpoint = via(service, endpoint)
		}
		all["AWS_ENDPOINT_URL_"+strings.ToUpper(strings.ReplaceAll(string(service), " ", "_"))] = endpoint
	}
	if slices.Contains(services, SecretsManager) {
		_, host, _ := strings.Cut(s.authURL, "://")
		all[config.SecretPrefix], all[config.AuthHosts], all[config.CallbackBaseURL] = s.Secrets.Prefix, host, s.CallbackURL
	}
	return all
}

// environment is a function's.
func (s *Stack) environment(function string, services ...Service) map[string]string {
	all := s.Variables(func(service Service, endpoint string) string { return s.via(function, service, endpoint) }, services...)
	if function == issue {
		all[config.RotateFunction] = s.Host.ARN(rotate) + ":" + alias
	}
	return all
}

func (s *Stack) via(function string, service Service, endpoint string) string {
	if s.config.Via == nil {
		return endpoint
	}
	return s.config.Via(function, service, endpoint)
}
