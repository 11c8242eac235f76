// Package integrations runs the integrations of docs/integrations as Lambda runs
// them: on lambdahost, with the real issue, rotate and engines behind, against
// the API of a tenant that refuses inactive tokens. It has tests and nothing else.
//
// What a page shows is what is run here, letter by letter. The clients and
// engines are fetched by scripts/clients and scripts/engines; what is missing
// skips a test, with the reason, unless RELTIO_TOKENS_ENGINES is "required".
package integrations
