package handlers

// Routes names every route: "GET /my".
func Routes() []string {
	var names []string
	for _, row := range routes {
		names = append(names, row.String())
	}
	return names
}

// WaitForNotes waits until what no answer waits for is written.
func (s *Server) WaitForNotes() { s.background.Wait() }
