# Writes reference.csv: what R's forecast::thetaf says of published series.
# Usage: Rscript reference.R > reference.csv
suppressMessages(library(forecast))
cat(sprintf("# %s, forecast %s: Rscript reference.R > reference.csv\n", R.version.string, packageVersion("forecast")))
cat("case,field,values\n")
put <- function(case, field, x) cat(sprintf("%s,%s,%s\n", case, field, paste(sprintf("%.12g", as.numeric(x)), collapse = " ")))
series <- list(air = AirPassengers, logair = log(AirPassengers), lynx = lynx, deaths = USAccDeaths, nottem = nottem, nile = Nile, huron = LakeHuron)
for (n in names(series)) {
  y <- series[[n]]
  f <- thetaf(y, h = 24, level = 95)
  put(n, "y", y); put(n, "season", frequency(y)); put(n, "pred", f$mean); put(n, "upper95", f$upper)
  put(n, "alpha", f$model$alpha); put(n, "drift", f$model$drift); put(n, "sigma", sqrt(f$model$sigma))
  if (frequency(y) > 1) put(n, "figure", decompose(y, "multiplicative")$figure)
}
