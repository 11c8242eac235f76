package reltioauthtest

// Remembered counts everything that a server holds and that could grow with
// time, except its records.
func Remembered(s *Server) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.tokens.access) + len(s.tokens.refresh) + len(s.tokens.grants) + len(s.codes) + len(s.states) + len(s.limits)
	for _, g := range s.tokens.grants {
		n += len(g.access) + len(g.refresh)
	}
	for _, count := range s.limits {
		n += len(count.times)
	}
	return n
}
