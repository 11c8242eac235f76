package main

// Help implements kong.HelpProvider.
func (*issueCommand) Help() string {
	return "Examples:\n  reltio-tokens --stack reltio-tokens issue acme-prod --min-ttl 5m\n  curl -H \"Authorization: Bearer $(reltio-tokens --stack reltio-tokens issue acme-prod --show-token)\" …"
}

// Help implements kong.HelpProvider.
func (*resumeCommand) Help() string {
	return "Examples:\n  reltio-tokens --stack reltio-tokens resume acme-prod\n  reltio-tokens --stack reltio-tokens resume --all"
}

// Help implements kong.HelpProvider.
func (*pauseCommand) Help() string {
	return "Example:\n  reltio-tokens --stack reltio-tokens pause acme-prod"
}

// Help implements kong.HelpProvider.
func (*unpauseCommand) Help() string {
	return "Example:\n  reltio-tokens --stack reltio-tokens unpause acme-prod"
}

// Help implements kong.HelpProvider.
func (*checkCommand) Help() string {
	return "Examples:\n  reltio-tokens --stack reltio-tokens check acme-prod\n  reltio-tokens --stack reltio-tokens check acme-prod --login"
}

// Help implements kong.HelpProvider.
func (*whoAmICommand) Help() string {
	return "Example:\n  reltio-tokens --stack reltio-tokens whoami acme-prod"
}

// Help implements kong.HelpProvider.
func (*connectCommand) Help() string {
	return "Examples:\n  reltio-tokens --stack reltio-tokens connect acme-prod --for ann@example.com\n  reltio-tokens --stack reltio-tokens connect acme-prod --refresh-token - < token.txt"
}

// Help implements kong.HelpProvider.
func (*doctorCommand) Help() string {
	return "Example:\n  reltio-tokens --stack reltio-tokens doctor"
}
