package secret

import (
	"fmt"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// ReasonKeyMissing is the public reason of a call that needs a key which is not here.
const ReasonKeyMissing = "KEY_MISSING"

// MissingKeyError says that something is sealed under a key that this process does not have: its file was not copied here, an old copy
// was put back, or the key is lost. It counts as a fault of kind Unavailable, since the value is there again with the key.
type MissingKeyError struct{ ID uint32 }

func (e *MissingKeyError) Error() string {
	return fmt.Sprintf("secret: the key %d is not in the keyring", e.ID)
}

// Unwrap gives the fault that callers are told.
func (e *MissingKeyError) Unwrap() error {
	return fault.Unavailable("this is encrypted under the key %d, which is not in the keyring", e.ID).WithReason(ReasonKeyMissing)
}
