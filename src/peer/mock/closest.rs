//! Which recorded request an unmatched one was closest to, and what is different. Pure.

/// Says which of `known` (method, path, number of the exchange) is the closest, and why it is not the same.
pub(super) fn tell(known: &[(String, String, u32)], method: &str, path: &str) -> String {
    let mut best: Option<(f64, &(String, String, u32))> = None;
    for one in known {
        let score = near(method, path, &one.0, &one.1);
        if best.is_none_or(|(known, _)| score > known) {
            best = Some((score, one));
        }
    }
    let Some((_, (other_method, other_path, no))) = best else {
        return "nothing was recorded".to_owned();
    };
    let mut why = Vec::new();
    if other_method != method {
        why.push(format!("its method is {other_method}"));
    }
    let (one, two) = (split(path), split(other_path));
    if one.0 != two.0 {
        why.push(format!("its path is {}", two.0));
    } else if one.1 != two.1 {
        why.push(match two.1 {
            "" => "it has no query".to_owned(),
            query => format!("its query is ?{query}"),
        });
    }
    if why.is_empty() {
        why.push("it was answered otherwise than by a download".to_owned());
    }
    format!("closest is exchange {no}: {}", why.join(", "))
}

/// Tells how close two requests are; a path says more than a method.
fn near(method: &str, path: &str, other_method: &str, other_path: &str) -> f64 {
    let (one, two) = (split(path), split(other_path));
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut score = 4.0 * strsim::normalized_levenshtein(one.0, two.0);
    score += strsim::normalized_levenshtein(one.1, two.1);
    score += strsim::normalized_levenshtein(&name(one.0), &name(two.0));
    if method == other_method {
        score += 2.0;
    }
    score
}

/// Splits off the query.
fn split(path: &str) -> (&str, &str) {
    path.split_once('?').unwrap_or((path, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_is_named_with_what_differs() {
        let row = |method: &str, path: &str, no| (method.to_owned(), path.to_owned(), no);
        let known = [
            row("BITS_POST", "/up/report.csv", 1),
            row("GET", "/d/driver.cab", 2),
            row("GET", "/d/driver.cab?v=1", 3),
        ];
        let tell = |method, path| tell(&known, method, path);
        assert_eq!(
            tell("GET", "/d/driver2.cab"),
            "closest is exchange 2: its path is /d/driver.cab"
        );
        assert_eq!(
            tell("GET", "/d/driver.cab?v=2"),
            "closest is exchange 3: its query is ?v=1"
        );
        assert_eq!(
            tell("PUT", "/up/report.csv"),
            "closest is exchange 1: its method is BITS_POST"
        );
        assert_eq!(super::tell(&[], "GET", "/"), "nothing was recorded");
    }
}
