package compress

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const readMax = 1 << 20

// echo answers with the text it was sent.
func echo() connect.Spec {
	return connect.Spec{Procedure: "/test.v1.Echo/Say", StreamType: connect.StreamTypeUnary}
}

// echoServer is a real server with all compressors. It tells in encodings how each call was encoded on the way in and out.
type echoServer struct {
	*httptest.Server
	encodings chan [2]string
}

func newEchoServer(t *testing.T) echoServer {
	t.Helper()
	s := echoServer{encodings: make(chan [2]string, 16)}
	server := connect.NewServer()
	server.Register(connect.Method{Spec: echo(), Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
		var text wrapperspb.StringValue
		if err := stream.Receive(&text); err != nil {
			return err
		}
		info, _ := connect.CallInfoForServerContext(ctx)
		s.encodings <- [2]string{info.RequestEncoding, info.ResponseEncoding}
		return stream.Send(&text)
	}})
	mux := http.NewServeMux()
	connecthttp.Mount(mux, server, connecthttp.WithCompressors(All()...), connecthttp.WithReadMaxBytes(readMax))
	s.Server = httptest.NewUnstartedServer(mux)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s echoServer) call(ctx context.Context, text string, options ...connecthttp.Option) (string, error) {
	client := connect.NewClient(connecthttp.NewTransport(s.Client(), s.URL, options...))
	var answer wrapperspb.StringValue
	err := client.CallUnary(ctx, echo(), wrapperspb.String(text), &answer)
	return answer.GetValue(), err
}

func TestRoundTripThroughServer(t *testing.T) {
	t.Parallel()
	server := newEchoServer(t)
	protocols := map[string][]connecthttp.Option{
		"connect": nil,
		"grpc":    {connecthttp.WithGRPC()},
		"grpcweb": {connecthttp.WithGRPCWeb()},
	}
	texts := []string{"", "x", strings.Repeat("breathe in, breathe out. ", 4000)}
	for protocol, options := range protocols {
		for _, compressor := range All() {
			for _, text := range texts {
				options := append([]connecthttp.Option{
					connecthttp.WithCompressors(compressor),
					connecthttp.WithSendCompression(compressor.Name()),
				}, options...)
				answer, err := server.call(t.Context(), text, options...)
				if err != nil {
					t.Fatalf("%s, %s, %d bytes: %v", protocol, compressor.Name(), len(text), err)
				}
				if answer != text {
					t.Errorf("%s, %s: got %d bytes back, want %d", protocol, compressor.Name(), len(answer), len(text))
				}
				if got, want := <-server.encodings, [2]string{compressor.Name(), compressor.Name()}; got != want {
					t.Errorf("%s: encodings %v, want %v", protocol, got, want)
				}
			}
		}
	}
}

func TestNegotiation(t *testing.T) {
	t.Parallel()
	server := newEchoServer(t)
	tests := []struct{ accept, want string }{
		{"zstd, br, gzip", "zstd"},
		{"br, gzip", "br"},
		{"gzip", "gzip"},
		{"gzip, zstd", "gzip"},
		{"compress, br", "br"},
		{"identity", ""},
		{"", ""},
	}
	for _, test := range tests {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+echo().Procedure, strings.NewReader(`"hello"`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Accept-Encoding", test.accept)
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if got := response.Header.Get("Content-Encoding"); got != test.want {
			t.Errorf("Accept-Encoding %q: got %q, want %q", test.accept, got, test.want)
		}
		if got := decompress(t, test.want, body); got != `"hello"` {
			t.Errorf("Accept-Encoding %q: body %q", test.accept, got)
		}
	}
}

func decompress(t *testing.T, name string, body []byte) string {
	t.Helper()
	for _, compressor := range All() {
		if compressor.Name() != name {
			continue
		}
		reader, err := compressor.Decompress(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = reader.Close() }()
		plain, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		return string(plain)
	}
	return string(body)
}

func TestUnknownEncodingIsRefused(t *testing.T) {
	t.Parallel()
	server := newEchoServer(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+echo().Procedure, strings.NewReader(`"hello"`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Content-Encoding", "lzma")
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if !strings.Contains(string(body), `"unimplemented"`) || !strings.Contains(string(body), "zstd") {
		t.Errorf("got %s, want unimplemented with the list of what is supported", body)
	}
}

func TestBrokenInputIsInvalidAndLeavesPoolUsable(t *testing.T) {
	t.Parallel()
	for _, compressor := range All() {
		for range 3 {
			if plain, err := readAll(compressor, []byte("this was never compressed at all")); err == nil {
				t.Errorf("%s: read %q from rubbish", compressor.Name(), plain)
			}
			packed := pack(t, compressor, "fine")
			if _, err := readAll(compressor, packed[:len(packed)-1]); err == nil {
				t.Errorf("%s: a message that ends early was read", compressor.Name())
			}
			plain, err := readAll(compressor, packed)
			if err != nil || string(plain) != "fine" {
				t.Errorf("%s after rubbish: %q, %v", compressor.Name(), plain, err)
			}
		}
	}
}

func TestUnfinishedReaderIsRecycled(t *testing.T) {
	t.Parallel()
	for _, compressor := range All() {
		long := pack(t, compressor, strings.Repeat("0123456789", 100_000))
		for range 3 {
			reader, err := compressor.Decompress(bytes.NewReader(long))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(reader, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			if err := reader.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := reader.Read(make([]byte, 1)); !errors.Is(err, errClosed) {
				t.Errorf("%s: read after Close gave %v", compressor.Name(), err)
			}
			if plain, err := readAll(compressor, pack(t, compressor, "next")); err != nil || string(plain) != "next" {
				t.Errorf("%s: %q, %v", compressor.Name(), plain, err)
			}
		}
	}
}

func pack(tb testing.TB, compressor connect.Compressor, text string) []byte {
	tb.Helper()
	var packed bytes.Buffer
	writer, err := compressor.Compress(&packed)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := io.WriteString(writer, text); err != nil {
		tb.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		tb.Fatal(err)
	}
	if _, err := writer.Write([]byte("x")); !errors.Is(err, errClosed) {
		tb.Errorf("%s: write after Close gave %v", compressor.Name(), err)
	}
	return packed.Bytes()
}

func readAll(compressor connect.Compressor, packed []byte) ([]byte, error) {
	reader, err := compressor.Decompress(bytes.NewBuffer(packed))
	if err != nil {
		return nil, err
	}
	defer func() { _ = reader.Close() }()
	return io.ReadAll(reader)
}

func BenchmarkCompress(b *testing.B) {
	text := []byte(strings.Repeat(`{"id":"0192f0c1","title":"Evening calm","minutes":12},`, 80))
	for _, compressor := range All() {
		b.Run(compressor.Name(), func(b *testing.B) {
			var dst bytes.Buffer
			b.ReportAllocs()
			for b.Loop() {
				dst.Reset()
				writer, _ := compressor.Compress(&dst)
				_, _ = writer.Write(text)
				_ = writer.Close()
			}
			b.ReportMetric(float64(dst.Len()), "bytes")
		})
	}
}

func BenchmarkDecompress(b *testing.B) {
	text := strings.Repeat(`{"id":"0192f0c1","title":"Evening calm","minutes":12},`, 80)
	for _, compressor := range All() {
		packed := pack(b, compressor, text)
		b.Run(compressor.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := readAll(compressor, packed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
