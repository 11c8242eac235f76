package engines

// Answers is get: it reports whether a server responds at the address.
var Answers = get
