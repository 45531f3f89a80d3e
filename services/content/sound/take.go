package sound

import (
	"fmt"
	"math"
)

const (
	// peak is the greatest level of a finished sound: −3 dB below full scale, 10^(−3/20).
	peak = 0.7079457843841379
	// fullScale is the greatest sample of 16 bits.
	fullScale = 32767
)

// layer is one channel of samples, or an envelope or curve of pitches for one; full scale is ±1, but only a finished take has to keep to that.
type layer []float64

// take is one sound while it is mixed together from layers.
type take struct {
	channels []layer
	loop     bool
}

func newTake(seconds, channels int, loop bool) *take {
	t := &take{channels: make([]layer, channels), loop: loop}
	for c := range t.channels {
		t.channels[c] = make(layer, seconds*rate)
	}
	return t
}

// samples is the length of the take.
func (t *take) samples() int { return len(t.channels[0]) }

// put mixes a layer in, beginning at an instant in seconds. What reaches beyond the end comes round to the beginning
// when the take loops, and is cut off when not. Pan goes from −1, left, to 1, right, at equal power; one channel ignores it.
func (t *take) put(l layer, at, gain, pan float64) {
	gains := []float64{gain}
	if len(t.channels) == 2 {
		gains = []float64{gain * math.Sqrt((1-pan)/2), gain * math.Sqrt((1+pan)/2)}
	}
	for c, gain := range gains {
		if gain == 0 {
			continue
		}
		from := int(math.Round(at * rate))
		for rest := l; len(rest) > 0; from = 0 {
			n := min(len(rest), t.samples()-from)
			t.channels[c][from:].plus(rest[:n], gain)
			if !t.loop {
				break
			}
			rest = rest[n:]
		}
	}
}

// pcm finishes the take: brings its peak to −3 dB and rounds to 16 bits. A take that is silent or not finite is refused.
func (t *take) pcm() ([][]int32, error) {
	top := 0.0
	for _, channel := range t.channels {
		for _, x := range channel {
			top = max(top, math.Abs(x))
		}
	}
	if top == 0 || math.IsInf(top, 0) || math.IsNaN(top) {
		return nil, fmt.Errorf("a peak of %g cannot be brought to −3 dB", top)
	}
	gain := peak * fullScale / top
	pcm := make([][]int32, len(t.channels))
	for c, channel := range t.channels {
		pcm[c] = make([]int32, len(channel))
		for i, x := range channel {
			pcm[c][i] = int32(math.Round(x * gain))
		}
	}
	return pcm, nil
}

// fadeOut brings the last seconds of the layer smoothly to nothing.
func (l layer) fadeOut(seconds float64) {
	n := min(int(seconds*rate), len(l))
	for i, tail := 0, l[len(l)-n:]; i < n; i++ {
		tail[i] *= ease(1 - float64(i+1)/float64(n))
	}
}

// times multiplies the layer by an envelope of the same length, and returns it.
func (l layer) times(envelope layer) layer {
	for i := range l {
		l[i] *= envelope[i]
	}
	return l
}

// plus adds another layer, which is not longer, at a gain, and returns the sum in place.
func (l layer) plus(other layer, gain float64) layer {
	for i, x := range other {
		l[i] += float64(x * gain)
	}
	return l
}
