//! A page of metrics, as Prometheus reads it
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>): just enough to sum up counters.

/// The sum of the samples of this name whose labels hold each of `labels`, written as on the page: `outcome="accepted"`.
pub(super) fn sum(page: &str, name: &str, labels: &[&str]) -> f64 {
    page.lines()
        .filter_map(|line| {
            let (series, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
            let is_of_name = series.is_empty() || series.starts_with('{');
            let is_wanted = is_of_name && labels.iter().all(|label| series.contains(label));
            is_wanted.then(|| value.parse::<f64>().ok())?
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_samples_of_the_name_and_labels_are_summed() {
        let page = "# HELP hits_total Hits\n# TYPE hits_total counter\n\
            hits_total{source=\"generic\",outcome=\"accepted\"} 3\n\
            hits_total{source=\"prometheus\",outcome=\"accepted\"} 4\n\
            hits_total{source=\"prometheus\",outcome=\"rate_limited\"} 5\n\
            hits_total_more 100\n\nmisses_total 1\n";
        assert!((sum(page, "hits_total", &["outcome=\"accepted\""]) - 7.0).abs() < f64::EPSILON);
        assert!((sum(page, "hits_total", &[]) - 12.0).abs() < f64::EPSILON);
        assert!((sum(page, "misses_total", &[]) - 1.0).abs() < f64::EPSILON);
    }
}
