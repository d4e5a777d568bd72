//! The dashboard, as a browser gets it. (What it does is tested in a browser, see `dashboard/e2e`.)

use reqwest::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};

use crate::api::{Api, problem};

#[tokio::test]
async fn every_address_that_is_not_the_apis_is_the_dashboards_page_and_nothing_inline_may_run_in_it() {
    let api = Api::start().await;
    let mut pages = Vec::new();
    for path in ["/", "/incidents/7", "/sign-in"] {
        let response = api.client.get(api.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        for part in ["default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(response.headers()[name], value);
        }
        pages.push(response.text().await.unwrap());
    }
    assert!(pages.iter().all(|page| *page == pages[0]));
    for path in ["/api/v1/nothing", "/api", "/favicon.ico", "/assets/nothing.js"] {
        problem(api.client.get(api.url(path)).send().await.unwrap(), 404, "not_found").await;
    }
    problem(api.client.post(api.url("/")).send().await.unwrap(), 404, "not_found").await;
}

/// Of a binary that was built with its dashboard the files are looked at; of one without it, what it says.
#[tokio::test]
async fn the_files_of_the_page_are_kept_for_ever_and_one_without_a_dashboard_says_how_to_build_it() {
    let api = Api::start().await;
    let page = api.client.get(api.url("/")).send().await.unwrap();
    if page.headers()[CONTENT_TYPE] != "text/html; charset=utf-8" {
        assert!(page.text().await.unwrap().contains("npm ci && npm run build"));
        return;
    }
    assert_eq!(page.headers()[CACHE_CONTROL], "no-cache");
    let etag = page.headers()[ETAG].clone();
    let again = api.client.get(api.url("/")).header(IF_NONE_MATCH, etag).send().await.unwrap();
    assert_eq!(again.status(), 304);

    let page = page.text().await.unwrap();
    let files: Vec<&str> = page.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert!(files.len() >= 3, "{page}");
    for file in files {
        let response = api.client.get(api.url(file)).header("Accept-Encoding", "gzip").send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-encoding"]),
            (200, &"gzip".parse().unwrap())
        );
        assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
        let media_type = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        let expected = match file.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!(media_type, expected, "{file}");
    }
}
