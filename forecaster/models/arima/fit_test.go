package arima_test

import (
	_ "embed"
	"math"
	"strings"
	"testing"

	"github.com/kedastral/kedastral/forecaster/models/arima"
	"github.com/kedastral/kedastral/forecaster/models/internal/reference"
)

//go:embed testdata/reference.csv
var fixture string

// Tolerances against R. Its optimiser works with numerical gradients, and its
// likelihood starts differenced series from a variance of 10⁶ where ours
// conditions on the first values.
const (
	likelihoodSlack = 0.02  // absolute, in log-likelihood; ours may be higher
	coefficientTol  = 0.015 // absolute, of coefficients that are about 0.5
	sigmaTol        = 0.005 // relative
	forecastTol     = 0.04  // in standard errors: R forecasts a conditional fit from exact first shocks
	errorTol        = 0.005 // relative, of standard errors
)

func orderOf(v []float64) arima.Order {
	return arima.Order{
		P: int(v[0]), D: int(v[1]), Q: int(v[2]), SP: int(v[3]), SD: int(v[4]), SQ: int(v[5]),
		Season: int(v[6]), Mean: len(v) > 7 && v[7] == 1,
	}
}

func coefficientsOf(f arima.Fit) []float64 {
	var v []float64
	for _, part := range [][]float64{f.AR, f.MA, f.SAR, f.SMA} {
		v = append(v, part...)
	}
	if f.Order.Mean {
		v = append(v, f.Mean)
	}
	return v
}

func TestFitsAgreeWithR(t *testing.T) {
	ref := reference.Read(t, fixture)
	for _, name := range append(ref.Cases(":ml"), ref.Cases(":css")...) {
		t.Run(name, func(t *testing.T) {
			base, method, _ := strings.Cut(name, ":")
			y, o := ref.Values(t, base, "y"), orderOf(ref.Values(t, name, "order"))
			fit, err := arima.Exact(y, o)
			if strings.HasPrefix(method, "css") {
				fit, err = arima.Conditional(y, nil, o)
			}
			if err != nil {
				t.Fatal(err)
			}
			agrees(t, ref, name, y, fit)
		})
	}
}

func agrees(t *testing.T, ref reference.Fixture, name string, y []float64, fit arima.Fit) {
	t.Helper()
	coef := ref.Values(t, name, "coef")
	t.Logf("coef %.5g R %.5g", coefficientsOf(fit), coef)
	for i, got := range coefficientsOf(fit) {
		if tol := coefficientTol * math.Max(1, math.Abs(coef[i])); math.Abs(got-coef[i]) > tol {
			t.Errorf("coefficient %d = %.5f, R has %.5f", i, got, coef[i])
		}
	}
	if want := ref.Value(t, name, "loglik"); math.Abs(fit.LogLik-want) > likelihoodSlack {
		t.Errorf("log-likelihood = %.4f, R has %.4f", fit.LogLik, want)
	}
	if want := ref.Value(t, name, "sigma2"); math.Abs(fit.Sigma2/want-1) > sigmaTol {
		t.Errorf("sigma² = %.6g, R has %.6g", fit.Sigma2, want)
	}
	pred, se := ref.Values(t, name, "pred"), ref.Values(t, name, "se")
	for i, got := range fit.Forecast(y, len(pred)) {
		if math.Abs(got-pred[i]) > forecastTol*se[i] {
			t.Errorf("forecast %d = %.6g, R has %.6g ± %.4g", i+1, got, pred[i], se[i])
		}
	}
	for i, got := range fit.StandardErrors(len(se)) {
		if math.Abs(got/se[i]-1) > errorTol {
			t.Errorf("standard error %d = %.6g, R has %.6g", i+1, got, se[i])
		}
	}
}
