# Writes reference.csv: what R's arima, forecast::auto.arima and
# forecast::ndiffs say of published series. Usage: Rscript reference.R > reference.csv
suppressMessages(library(forecast))
cat(sprintf("# %s, forecast %s: Rscript reference.R > reference.csv\n", R.version.string, packageVersion("forecast")))
cat("case,field,values\n")
put <- function(case, field, x) {
  cat(sprintf("%s,%s,%s\n", case, field, paste(ifelse(is.na(x), "NaN", sprintf("%.12g", as.numeric(x))), collapse = " ")))
}
series <- list(air = log(AirPassengers), lynx = lynx, loglynx = log(lynx), deaths = USAccDeaths,
               nottem = nottem, presidents = presidents)
for (n in names(series)) {
  put(n, "y", series[[n]])
  put(n, "season", frequency(series[[n]]))
  if (!anyNA(series[[n]])) {
    put(n, "ndiffs", ndiffs(series[[n]]))
    put(n, "ndiffs_seasonal", if (frequency(series[[n]]) > 1) ndiffs(diff(series[[n]], frequency(series[[n]]))) else ndiffs(series[[n]]))
    put(n, "nsdiffs", if (frequency(series[[n]]) > 1) nsdiffs(series[[n]]) else 0)
  }
}
fit <- function(case, s, order, seasonal = c(0, 0, 0), mean = FALSE, drift = FALSE, method = "ML") {
  y <- series[[s]]; n <- length(y)
  args <- list(x = y, order = order, seasonal = list(order = seasonal, period = if (sum(seasonal) > 0) frequency(y) else NA),
               include.mean = mean, method = method, optim.control = list(reltol = 1e-14, maxit = 1000))
  if (drift) args$xreg <- cbind(drift = 1:n)
  f <- do.call(arima, args)
  p <- if (drift) predict(f, 24, newxreg = cbind(drift = n + 1:24)) else predict(f, 24)
  put(case, "order", c(order, seasonal, frequency(y), mean || drift))
  put(case, "coef", coef(f)); put(case, "sigma2", f$sigma2); put(case, "loglik", f$loglik)
  put(case, "aic", if (is.null(f$aic)) NA else f$aic); put(case, "pred", p$pred); put(case, "se", p$se)
}
fit("air:ml-airline", "air", c(0, 1, 1), c(0, 1, 1))
fit("air:ml-drift", "air", c(0, 1, 1), drift = TRUE)
fit("lynx:ml-ar2", "lynx", c(2, 0, 0), mean = TRUE)
fit("lynx:ml-arma", "lynx", c(1, 0, 2), mean = TRUE)
fit("loglynx:ml-ar3", "loglynx", c(3, 0, 0), mean = TRUE)
fit("air:ml-ar2-diff", "air", c(2, 1, 0))
fit("deaths:ml-airline", "deaths", c(0, 1, 1), c(0, 1, 1))
fit("nottem:ml-sar2", "nottem", c(1, 0, 0), c(2, 1, 0))
fit("presidents:ml-ar3-gaps", "presidents", c(3, 0, 0), mean = TRUE)
fit("air:css-airline", "air", c(0, 1, 1), c(0, 1, 1), method = "CSS")
fit("lynx:css-ar2", "lynx", c(2, 0, 0), mean = TRUE, method = "CSS")
fit("loglynx:css-ar2ma1", "loglynx", c(2, 0, 1), mean = TRUE, method = "CSS")
fit("deaths:css-airline", "deaths", c(0, 1, 1), c(0, 1, 1), method = "CSS")
fit("nottem:css-sar2", "nottem", c(1, 0, 0), c(2, 1, 0), method = "CSS")
for (n in c("air", "lynx", "loglynx", "deaths", "nottem")) {
  f <- auto.arima(series[[n]], max.p = 3, max.q = 3, max.P = 1, max.Q = 1, allowmean = TRUE, allowdrift = FALSE,
                  stepwise = FALSE, approximation = FALSE, max.order = 8)
  put(paste0(n, ":auto"), "order", c(arimaorder(f), rep(0, 7 - length(arimaorder(f))))[1:7])
  put(paste0(n, ":auto"), "aicc", f$aicc)
}
