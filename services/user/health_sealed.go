package user

import (
	"fmt"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	healthv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/health/v1"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
)

// sealHealth encrypts a health record, for the row of its person only.
func (o Options) sealHealth(person uuid.UUID, record *userv1.HealthRecord) ([]byte, error) {
	plain, err := proto.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("encode the health profile: %w", err)
	}
	defer clear(plain)
	sealed, err := o.Keys.Seal(plain, healthBound(person))
	if err != nil {
		return nil, fmt.Errorf("seal the health profile: %w", err)
	}
	return sealed, nil
}

// openHealth reverses sealHealth. What was sealed for somebody else, or was changed, does not open: its error names the person. Faults: those of the keyring.
func (o Options) openHealth(person uuid.UUID, sealed []byte) (*userv1.HealthRecord, error) {
	plain, err := o.Keys.Open(sealed, healthBound(person))
	if err != nil {
		return nil, fmt.Errorf("open the health profile of %s: %w", person, err)
	}
	defer clear(plain)
	record := &userv1.HealthRecord{}
	if err := proto.Unmarshal(plain, record); err != nil {
		return nil, fmt.Errorf("decode the health profile of %s", person) // the parser's words might quote it
	}
	if record.Profile == nil {
		record.Profile = &healthv1.Profile{}
	}
	return record, nil
}
