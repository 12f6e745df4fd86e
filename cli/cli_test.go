package cli

import (
	"strings"
	"testing"

	"gatehouse/account"
)

func TestEveryReasonHasASentence(t *testing.T) {
	for _, reason := range account.Reasons {
		text := fieldErrorText(account.FieldError{Field: "name", Reason: reason, Limit: 100})
		if text == "" || strings.HasSuffix(text, ": "+string(reason)) {
			t.Errorf("%s reads %q", reason, text)
		}
	}
}
