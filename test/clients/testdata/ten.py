from reltio_tokens import TokenError, Tokens

tokens = Tokens("demo-client-credentials")
try:
    token = tokens.get()
    print(token, token.tenant_id)
except TokenError as error:
    print(error.type, error)
