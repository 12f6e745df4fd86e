package views

import "context"

// handleKey is where a rendering's context holds the handle that its forms carry.
type handleKey struct{}

// WithHandle returns a context in which every form that posts carries the handle of the
// session or challenge that it is shown to, in the field "as". It goes by the context, so
// that no form can be without it; "" leaves the field out.
func WithHandle(ctx context.Context, handle string) context.Context {
	return context.WithValue(ctx, handleKey{}, handle)
}

func formHandle(ctx context.Context) string {
	handle, _ := ctx.Value(handleKey{}).(string)
	return handle
}
