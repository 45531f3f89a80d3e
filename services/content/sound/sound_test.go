package sound_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"regexp"
	"sync"
	"testing"

	"github.com/mewkiz/flac"

	"github.com/mindspace-app/mindspace/services/content/sound"
)

const fullScale = 32767

func TestEverySound(t *testing.T) {
	t.Parallel()
	for _, code := range sound.Codes() {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			var file bytes.Buffer
			info := render(t, code, &file)
			if described, err := sound.Describe(code); err != nil || described != info {
				t.Errorf("Describe says %+v, %v; Render says %+v", described, err, info)
			}
			channels := decode(t, info, &file)
			checkLevels(t, channels)
			for _, samples := range channels {
				if info.Loop {
					checkSeam(t, samples)
				} else {
					checkEnds(t, samples)
				}
			}
		})
	}
}

// Between them these four use every generator: strikes, noise and its filters, glides, tones and all envelopes.
func TestRenderIsTheSameEveryTime(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"chimes", "wind", "breath_tide", "tones_soft"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			first, second := sha256.New(), sha256.New()
			render(t, code, first)
			render(t, code, second)
			if !bytes.Equal(first.Sum(nil), second.Sum(nil)) {
				t.Error("two renderings differ")
			}
		})
	}
}

// render fails the test when the sound cannot be rendered.
func render(t *testing.T, code string, w io.Writer) sound.Info {
	t.Helper()
	info, err := sound.Render(code, w)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// decode reads the file back with the decoder, which checks every frame, and compares what it finds with the header and the info.
func decode(t *testing.T, info sound.Info, file io.Reader) [][]int32 {
	t.Helper()
	stream, err := flac.New(file)
	if err != nil {
		t.Fatalf("not a FLAC file: %v", err)
	}
	header := stream.Info
	if int(header.SampleRate) != info.SampleRate || int(header.NChannels) != info.Channels || header.BitsPerSample != 16 {
		t.Errorf("header says %d Hz, %d channels, %d bits; want %+v", header.SampleRate, header.NChannels, header.BitsPerSample, info)
	}
	if got := float64(header.NSamples) / float64(header.SampleRate); got != info.DurationSeconds {
		t.Errorf("header says %g s, want %g", got, info.DurationSeconds)
	}
	if info.ContentType != "audio/flac" {
		t.Errorf("content type %q", info.ContentType)
	}
	channels := make([][]int32, header.NChannels)
	sum := md5.New()
	for {
		f, err := stream.ParseNext()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("decode: %v", err)
		}
		f.Hash(sum)
		for c, sub := range f.Subframes {
			channels[c] = append(channels[c], sub.Samples...)
		}
	}
	if uint64(len(channels[0])) != header.NSamples {
		t.Errorf("decoded %d samples, the header says %d", len(channels[0]), header.NSamples)
	}
	if !bytes.Equal(sum.Sum(nil), header.MD5sum[:]) {
		t.Error("the checksum in the header is not that of the samples")
	}
	return channels
}

// checkLevels wants a peak of −3 dB, something to hear, and no constant offset.
func checkLevels(t *testing.T, channels [][]int32) {
	t.Helper()
	top := 0.0
	for c, samples := range channels {
		total := 0.0
		for _, s := range samples {
			top = max(top, math.Abs(float64(s)))
			total += float64(s)
		}
		if offset := total / float64(len(samples)) / fullScale; math.Abs(offset) > 0.001 {
			t.Errorf("channel %d is off centre by %g", c, offset)
		}
		if level := rms(samples); level < -30 {
			t.Errorf("channel %d is as good as silent: %.1f dB", c, level)
		}
	}
	if db := 20 * math.Log10(top/fullScale); math.Abs(db+3) > 0.01 {
		t.Errorf("peak is %.3f dB, want −3", db)
	}
}

// checkEnds wants silence at both ends of a sound that does not loop.
func checkEnds(t *testing.T, samples []int32) {
	t.Helper()
	const edge = 64
	for _, s := range append(append([]int32{}, samples[:edge]...), samples[len(samples)-edge:]...) {
		if s < -8 || s > 8 {
			t.Errorf("a sample of %d at an end makes a click", s)
			return
		}
	}
}

// checkSeam wants a loop's last sample to run on into its first one: neither the step nor the bend there is
// greater than any nearby, and the quarter seconds before and after are about equally loud.
func checkSeam(t *testing.T, samples []int32) {
	t.Helper()
	const near = 512
	around := append(append([]int32{}, samples[len(samples)-near:]...), samples[:near]...)
	var step, bend int32
	for i := 2; i < len(around); i++ {
		s, b := around[i]-around[i-1], around[i]-2*around[i-1]+around[i-2]
		if i == near || i == near+1 {
			continue
		}
		step, bend = max(step, s, -s), max(bend, b, -b)
	}
	if s := around[near] - around[near-1]; max(s, -s) > step+2 {
		t.Errorf("the seam steps by %d, samples nearby by at most %d", s, step)
	}
	for _, at := range []int{near, near + 1} {
		if b := around[at] - 2*around[at-1] + around[at-2]; max(b, -b) > bend+4 {
			t.Errorf("the seam bends by %d, samples nearby by at most %d", b, bend)
		}
	}
	const quarter = 22050 / 4
	const quiet = -45
	head, tail := rms(samples[:quarter]), rms(samples[len(samples)-quarter:])
	if math.Abs(max(head, quiet)-max(tail, quiet)) > 3 {
		t.Errorf("the loop begins at %.1f dB and ends at %.1f dB", head, tail)
	}
}

// rms is the mean level, in dB below full scale.
func rms(samples []int32) float64 {
	total := 0.0
	for _, s := range samples {
		total += float64(s) * float64(s)
	}
	return 10 * math.Log10(total/float64(len(samples))/fullScale/fullScale)
}

func TestCodesAreUniqueNames(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for _, code := range sound.Codes() {
		if !name.MatchString(code) || seen[code] {
			t.Errorf("code %q is malformed or there twice", code)
		}
		seen[code] = true
	}
}

func TestUnknownCode(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if _, err := sound.Render("thunder", &out); err == nil || out.Len() > 0 {
		t.Errorf("Render of an unknown code: error %v, %d bytes", err, out.Len())
	}
	if _, err := sound.Describe("thunder"); err == nil {
		t.Error("Describe of an unknown code gave no error")
	}
}

// full is a writer with room for so many bytes.
type full struct{ room int }

var errFull = errors.New("no room left")

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestRenderReportsAFailedWrite(t *testing.T) {
	t.Parallel()
	for _, room := range []int{0, 100_000} {
		if _, err := sound.Render("bowl_bright", &full{room}); !errors.Is(err, errFull) {
			t.Errorf("with room for %d bytes: error %v", room, err)
		}
	}
}

// BenchmarkRenderAll renders every sound, two at a time, and reports their size.
func BenchmarkRenderAll(b *testing.B) {
	for b.Loop() {
		var size counter
		codes := make(chan string)
		var workers sync.WaitGroup
		for range 2 {
			workers.Go(func() {
				for code := range codes {
					if _, err := sound.Render(code, &size); err != nil {
						b.Error(err)
					}
				}
			})
		}
		for _, code := range sound.Codes() {
			codes <- code
		}
		close(codes)
		workers.Wait()
		b.ReportMetric(float64(size.bytes)/1e6, "MB")
	}
}

// counter counts the bytes written to it.
type counter struct {
	sync.Mutex
	bytes int
}

func (c *counter) Write(p []byte) (int, error) {
	c.Lock()
	defer c.Unlock()
	c.bytes += len(p)
	return len(p), nil
}
