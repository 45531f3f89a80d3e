// Package proto holds vendored proto files. Their Go code comes from modules of others, so this package is its test alone:
// a vendored file must not differ from the code that is generated from its original.
package proto

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// vendored are the descriptors that the Go modules carry, by the path of our copy.
func vendored() map[string]protoreflect.FileDescriptor {
	return map[string]protoreflect.FileDescriptor{
		"buf/validate/validate.proto": validate.File_buf_validate_validate_proto,
		"grpc/health/v1/health.proto": grpc_health_v1.File_grpc_health_v1_health_proto,
	}
}

func TestVendoredFilesEqualTheirModules(t *testing.T) {
	t.Parallel()
	for path, original := range vendored() {
		ours, theirs := compile(t, path), protodesc.ToFileDescriptorProto(original)
		ours.Options, theirs.Options = nil, nil // where generated code goes, which is not part of the contract
		if !proto.Equal(ours, theirs) {
			t.Errorf("%s differs from its module.\nOurs:\n%s\nTheirs:\n%s", path, prototext.Format(ours), prototext.Format(theirs))
		}
	}
}

func TestEveryVendoredFileIsCompared(t *testing.T) {
	t.Parallel()
	known := vendored()
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if _, ok := known[filepath.ToSlash(path)]; err == nil && filepath.Ext(path) == ".proto" && !ok {
			t.Errorf("%s is compared with nothing", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// compile gives the descriptor of our copy.
func compile(t *testing.T, path string) *descriptorpb.FileDescriptorProto {
	t.Helper()
	buf, err := filepath.Abs(filepath.Join("..", "..", "node_modules", ".bin", "buf"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(buf); errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("MINDSPACE_TEST_STRICT") == "1" {
			t.Fatal("buf is not installed: run npm ci")
		}
		t.Skip("buf is not installed: run npm ci")
	}
	command := exec.CommandContext(t.Context(), buf, "build", "--as-file-descriptor-set", "--exclude-source-info", "--path", path, "-o", "-")
	var failure bytes.Buffer
	command.Stderr = &failure
	image, err := command.Output()
	if err != nil {
		t.Fatalf("buf build: %v\n%s", err, failure.String())
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(image, &set); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(set.GetFile(), func(f *descriptorpb.FileDescriptorProto) bool { return f.GetName() == path })
	if at < 0 {
		t.Fatalf("buf built no %s", path)
	}
	return set.GetFile()[at]
}
