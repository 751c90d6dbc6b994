# Writes reference.csv: what R's forecast::ets and stats::HoltWinters say of
# published series. Usage: Rscript reference.R > reference.csv
suppressMessages(library(forecast))
cat(sprintf("# %s, forecast %s: Rscript reference.R > reference.csv\n", R.version.string, packageVersion("forecast")))
cat("case,field,values\n")
put <- function(case, field, x) cat(sprintf("%s,%s,%s\n", case, field, paste(sprintf("%.12g", as.numeric(x)), collapse = " ")))
series <- list(air = AirPassengers, logair = log(AirPassengers), lynx = lynx, deaths = USAccDeaths, nottem = nottem)
for (n in names(series)) { put(n, "y", series[[n]]); put(n, "season", frequency(series[[n]])) }
fit <- function(s, model, damped) {
  case <- paste0(s, ":", model, if (damped) "d" else "")
  f <- ets(series[[s]], model = model, damped = damped)
  p <- function(k) if (k %in% names(f$par)) f$par[[k]] else NaN
  put(case, "par", c(p("alpha"), p("beta"), p("gamma"), p("phi")))
  put(case, "initial", f$initstate); put(case, "loglik", f$loglik); put(case, "aicc", f$aicc)
  put(case, "mse", f$mse); put(case, "amse", f$amse); put(case, "pred", forecast(f, 24)$mean)
  if (substr(model, 1, 1) == "A") {
    g <- forecast(f, 24, level = 95)
    put(case, "upper95", g$upper)
  }
}
fit("lynx", "ANN", FALSE); fit("lynx", "AAN", TRUE); fit("logair", "AAN", FALSE); fit("deaths", "ANA", FALSE)
fit("deaths", "AAA", FALSE); fit("logair", "AAA", TRUE); fit("nottem", "ANA", FALSE); fit("nottem", "AAA", TRUE)
fit("air", "MAM", TRUE); fit("air", "MNM", FALSE); fit("lynx", "MNN", FALSE); fit("air", "MAA", FALSE); fit("air", "MAM", FALSE)
for (n in names(series)) {
  f <- ets(series[[n]])
  put(paste0(n, ":auto"), "aicc", f$aicc); put(paste0(n, ":auto"), "pred", forecast(f, 24)$mean)
  cat(sprintf("%s:auto,method,%s\n", n, gsub(",", "", gsub("ETS\\(|\\)", "", f$method))))
}
hw <- function(s, kind) {
  case <- paste0(s, ":hw-", kind)
  f <- HoltWinters(series[[s]], seasonal = kind, start.periods = 2, optim.control = list(factr = 10))
  m <- frequency(series[[s]]); st <- decompose(ts(series[[s]][1:(2 * m)], start = start(series[[s]]), frequency = m), kind)
  dat <- na.omit(st$trend); cf <- coef(lm(dat ~ seq_along(dat)))
  put(case, "par", c(f$alpha, f$beta, f$gamma)); put(case, "initial", c(cf, st$figure))
  put(case, "sse", f$SSE); put(case, "pred", predict(f, 24))
}
hw("air", "additive"); hw("deaths", "additive"); hw("nottem", "additive")
