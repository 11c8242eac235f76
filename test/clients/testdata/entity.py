import sys
from urllib.parse import urlsplit

from reltio_tokens import Tokens
from reltio_tokens.urllib3 import TokenManager

tokens = Tokens(sys.argv[1])
api = tokens.get().api_url
http = TokenManager(tokens, hosts=[urlsplit(api).netloc])
print(http.request("GET", f"{api}/entities/1").json()["uri"])
