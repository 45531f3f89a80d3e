package compress

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// bomb is a few kilobytes that become 16 MiB.
func bomb(t *testing.T, compressor connect.Compressor) []byte {
	t.Helper()
	var packed bytes.Buffer
	writer, err := compressor.Compress(&packed)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 16 {
		if _, err := writer.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func TestBombFailsThroughServer(t *testing.T) {
	t.Parallel()
	server := newEchoServer(t)
	for _, compressor := range All() {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+echo().Procedure, bytes.NewReader(bomb(t, compressor)))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/proto")
		request.Header.Set("Content-Encoding", compressor.Name())
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if !strings.Contains(string(body), `"resource_exhausted"`) {
			t.Errorf("%s: got %s, want resource_exhausted", compressor.Name(), body)
		}
	}
}

// Not parallel: it measures what the process allocates.
func TestBombStaysSmall(t *testing.T) { //nolint:paralleltest // it measures the whole process
	const most = 4 << 20 // what is read, and the window of our own encoders
	for _, compressor := range All() {
		packed := bomb(t, compressor)
		if len(packed) > readMax {
			t.Fatalf("the %s bomb has %d bytes and would be refused for its own size", compressor.Name(), len(packed))
		}
		got := allocated(func() {
			reader, err := compressor.Decompress(bytes.NewBuffer(packed))
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, io.LimitReader(reader, readMax+1)); n != readMax+1 {
				t.Errorf("%s: read %d bytes, %v", compressor.Name(), n, err)
			}
			_ = reader.Close()
		})
		if got > most {
			t.Errorf("%s: %d MiB were allocated for a limit of 1 MiB", compressor.Name(), got>>20)
		}
	}
}

func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestWindowIsLimited(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("a long walk, ", 1000))
	for bits := 10; bits <= 24; bits++ {
		var packed bytes.Buffer
		writer := brotli.NewWriterOptions(&packed, brotli.WriterOptions{Quality: 5, LGWin: bits})
		_, _ = writer.Write(text)
		_ = writer.Flush() // more may follow, so the stream cannot settle for a smaller window
		_ = writer.Close()
		if got := brotliWindowBits(packed.Bytes()[0]); got != bits {
			t.Errorf("brotli window bits: got %d, want %d", got, bits)
		}
		plain, err := readAll(Brotli(), packed.Bytes())
		if bits > brotliWindow {
			if err == nil {
				t.Errorf("a brotli window of 1<<%d was accepted", bits)
			}
			continue
		}
		if err != nil || !bytes.Equal(plain, text) {
			t.Errorf("brotli window 1<<%d: %v", bits, err)
		}
	}
	for bits := 10; bits <= 27; bits++ {
		var packed bytes.Buffer
		writer, err := zstd.NewWriter(&packed, zstd.WithWindowSize(1<<bits), zstd.WithSingleSegment(false))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = writer.Write(text)
		_ = writer.Flush()
		_ = writer.Close()
		plain, err := readAll(Zstd(), packed.Bytes())
		if 1<<bits > zstdWindow {
			if err == nil {
				t.Errorf("a zstd window of 1<<%d was accepted", bits)
			}
			continue
		}
		if err != nil || !bytes.Equal(plain, text) {
			t.Errorf("zstd window 1<<%d: %v", bits, err)
		}
	}
}

// A frame in one segment has no window: what it claims to be long stands for it.
func TestClaimedLengthIsLimited(t *testing.T) {
	t.Parallel()
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0x01, 0, 0}
	if _, err := readAll(Zstd(), frame); err == nil {
		t.Error("a zstd frame that claims 64 GiB was accepted")
	}
}

func FuzzDecompress(f *testing.F) {
	for _, compressor := range All() {
		f.Add(pack(f, compressor, "breathe"))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		for _, compressor := range All() {
			reader, err := compressor.Decompress(bytes.NewBuffer(packed))
			if err != nil {
				continue
			}
			_, _ = io.Copy(io.Discard, io.LimitReader(reader, readMax))
			if err := reader.Close(); err != nil {
				t.Errorf("%s: close: %v", compressor.Name(), err)
			}
			if plain, err := readAll(compressor, pack(t, compressor, "next")); err != nil || string(plain) != "next" {
				t.Errorf("%s after %x: %q, %v", compressor.Name(), packed, plain, err)
			}
		}
	})
}
