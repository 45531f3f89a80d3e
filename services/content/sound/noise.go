package sound

import (
	"math"
	"math/rand/v2"
)

// join is how many seconds of a looping noise are cross-faded into its beginning.
const join = 2

// noise makes n samples of white noise, every frequency alike, from a seed.
func noise(seed uint64, n int) layer {
	source := rand.NewPCG(seed, 0)
	l := make(layer, n)
	for i := range l {
		l[i] = between(source, -1, 1)
	}
	return l
}

// between draws evenly from the numbers between two others.
func between(source *rand.PCG, low, high float64) float64 {
	return low + float64((high-low)*(float64(int64(source.Uint64()>>11))/(1<<53)))
}

// share is the part of the way to its input that a one-pole filter goes with each sample.
func share(cutoff float64) float64 { return exact(1 - math.Exp(-2*math.Pi*cutoff/rate)) }

// lowPass takes away what is above the cutoff, in Hz, 6 dB an octave.
func (l layer) lowPass(cutoff float64) layer {
	s, y := share(cutoff), 0.0
	for i, x := range l {
		y += float64(s * (x - y))
		l[i] = y
	}
	return l
}

// highPass takes away what is below the cutoff, in Hz, 6 dB an octave.
func (l layer) highPass(cutoff float64) layer {
	s, y := share(cutoff), 0.0
	for i, x := range l {
		y += float64(s * (x - y))
		l[i] = x - y
	}
	return l
}

// bandPass keeps what is around the centre, which may move: a curve of Hz, begun anew when the layer is longer.
// Width is the bandwidth over the centre. It is Chamberlin's state variable filter.
func (l layer) bandPass(centre layer, width float64) layer {
	low, band := 0.0, 0.0
	for i, x := range l {
		// 2·sin(π·f/rate), of which x − x³/6 is all that matters as far up as these sounds go.
		w := math.Pi / rate * centre[i%len(centre)]
		f := 2 * (w - float64(w*w*w/6))
		low += float64(f * band)
		high := x - low - float64(width*band)
		band += float64(f * high)
		l[i] = float64(width * band)
	}
	return l
}

// seamless shortens the layer to n samples and makes it loop: what lies beyond n is cross-faded, at equal power, into the beginning,
// so that the first sample follows the last as it did before.
func (l layer) seamless(n int) layer {
	over := l[n:]
	for i, x := range over {
		in := ease(float64(i) / float64(len(over)))
		l[i] = float64(l[i]*math.Sqrt(in)) + float64(x*math.Sqrt(1-in))
	}
	return l[:n]
}
