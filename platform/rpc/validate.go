package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// validating checks each message that arrives against the rules in its proto file.
func validating(validator protovalidate.Validator) connect.ServerInterceptor {
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			return next(ctx, spec, &validatedStream{ServerStream: stream, validator: validator})
		}
	}
}

type validatedStream struct {
	connect.ServerStream
	validator protovalidate.Validator
}

// Receive reads the next message and refuses it, naming every wrong field, when it breaks a rule.
func (s *validatedStream) Receive(msg any) error {
	if err := s.ServerStream.Receive(msg); err != nil {
		return err
	}
	m, ok := msg.(proto.Message)
	if !ok {
		return fmt.Errorf("validate: %T is not a protobuf message", msg)
	}
	return validationFault(m, s.validator.Validate(m))
}

// validationFault names the wrong fields as JSON clients know them.
func validationFault(msg proto.Message, err error) error {
	if err == nil {
		return nil
	}
	var invalid *protovalidate.ValidationError
	if !errors.As(err, &invalid) {
		return fmt.Errorf("validate %s: %w", msg.ProtoReflect().Descriptor().FullName(), err)
	}
	fields := make([]fault.Field, 0, len(invalid.Violations))
	for _, v := range invalid.Violations {
		fields = append(fields, fault.Field{
			Path:        violationPath(msg.ProtoReflect().Descriptor(), v.Proto),
			Description: v.Proto.GetMessage(),
			Reason:      v.Proto.GetRuleId(),
		})
	}
	return fault.Invalid("%s", sentence(fields)).WithFields(fields...).WithReason("REQUEST_INVALID")
}

// sentence says in one line what is wrong, for people who read the message alone.
func sentence(fields []fault.Field) string {
	parts := make([]string, 0, len(fields))
	for _, f := range fields {
		if f.Path == "" {
			parts = append(parts, f.Description)
			continue
		}
		parts = append(parts, f.Path+": "+f.Description)
	}
	return strings.Join(parts, "; ")
}

// violationPath is the path of the field that breaks a rule. A CEL rule about several fields stands on their message, and its violation
// names the message only: which field is to blame is then what the rule's id begins with, as "weight_kg.implausible" or
// "pregnancy.trimester.not_pregnant". An id that begins with no field leaves the message to blame.
func violationPath(message protoreflect.MessageDescriptor, v *validate.Violation) string {
	path, within := jsonPath(message, v.GetField())
	if len(v.GetRule().GetElements()) > 0 {
		return path // the rule of a field; those of a message come without a path of their own
	}
	for name := range strings.SplitSeq(v.GetRuleId(), ".") {
		if within == nil {
			break
		}
		field := within.Fields().ByName(protoreflect.Name(name))
		if field == nil {
			break
		}
		if path != "" {
			path += "."
		}
		path += field.JSONName()
		within = field.Message()
		if field.IsList() || field.IsMap() {
			break
		}
	}
	return path
}

// jsonPath writes a field path in JSON names, for example "profile.labs[0].unit", and gives the message that it ends at, nil for a scalar.
func jsonPath(message protoreflect.MessageDescriptor, path *validate.FieldPath) (string, protoreflect.MessageDescriptor) {
	var b strings.Builder
	for _, element := range path.GetElements() {
		name := element.GetFieldName()
		var field protoreflect.FieldDescriptor
		if message != nil {
			field = message.Fields().ByNumber(protoreflect.FieldNumber(element.GetFieldNumber()))
		}
		message = nil
		if field != nil {
			name, message = field.JSONName(), elementMessage(field)
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(name)
		writeSubscript(&b, element)
	}
	return b.String(), message
}

// elementMessage is the message that a path goes on in below the field: of the value for a map, nil for a scalar.
func elementMessage(field protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	if field.IsMap() {
		return field.MapValue().Message()
	}
	return field.Message()
}

func writeSubscript(b *strings.Builder, element *validate.FieldPathElement) {
	switch s := element.GetSubscript().(type) {
	case *validate.FieldPathElement_Index:
		fmt.Fprintf(b, "[%d]", s.Index)
	case *validate.FieldPathElement_StringKey:
		fmt.Fprintf(b, "[%q]", s.StringKey)
	case *validate.FieldPathElement_BoolKey:
		fmt.Fprintf(b, "[%t]", s.BoolKey)
	case *validate.FieldPathElement_IntKey:
		fmt.Fprintf(b, "[%d]", s.IntKey)
	case *validate.FieldPathElement_UintKey:
		fmt.Fprintf(b, "[%d]", s.UintKey)
	}
}
