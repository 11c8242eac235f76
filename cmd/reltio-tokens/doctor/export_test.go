package doctor

import "context"

// Ask makes a call of another action, and returns the response's text.
func (q *Query) Ask(ctx context.Context, service, action string, parameters map[string]string) (string, error) {
	for _, a := range []api{cloudWatch(), sqs(), sns()} {
		if a.host == service {
			var result struct {
				Text string `xml:",innerxml"`
			}
			err := q.call(ctx, a, action, parameters, &result)
			return result.Text, err
		}
	}
	return "", nil
}
