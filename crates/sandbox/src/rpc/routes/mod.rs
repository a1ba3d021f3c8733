//! Every path that is answered, in one table: the router takes nothing that is not here, and the OpenAPI document
//! (`GET /openapi.json`) is made of it. The tables themselves are a file a subject.

mod chain;
mod contracts;
mod helpers;
mod open_api;
mod rollups;
mod sandbox;
mod schema;

pub use open_api::document;

use axum::http::Method;
use schema::{Body, Shape};

/// A method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Get,
    Post,
    Patch,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Patch => "PATCH",
        }
    }
}

/// One method of one path.
#[derive(Clone, Copy)]
pub struct Route {
    verb: Verb,
    /// The path; `{name}` stands for any one segment.
    path: &'static str,
    /// What it does, in a line.
    summary: &'static str,
    /// Names of query parameters, with what they are.
    query: &'static [(&'static str, Shape)],
    body: Option<Body>,
    answer: Shape,
}

impl Route {
    const fn get(path: &'static str, answer: Shape, summary: &'static str) -> Route {
        Route { verb: Verb::Get, path, summary, query: &[], body: None, answer }
    }

    const fn post(path: &'static str, body: Body, answer: Shape, summary: &'static str) -> Route {
        Route { verb: Verb::Post, path, summary, query: &[], body: Some(body), answer }
    }

    const fn query(self, query: &'static [(&'static str, Shape)]) -> Route {
        Route { query, ..self }
    }

    fn fits(&self, path: &[String]) -> bool {
        let mut wanted = self.path.split('/').skip(1);
        path.iter().all(|segment| wanted.next().is_some_and(|name| name.starts_with('{') || name == segment))
            && wanted.next().is_none()
    }
}

/// All routes.
fn all() -> impl Iterator<Item = &'static Route> {
    const TABLES: [&[Route]; 5] = [chain::ROUTES, contracts::ROUTES, rollups::ROUTES, helpers::ROUTES, sandbox::ROUTES];
    TABLES.into_iter().flatten()
}

/// What the table says about a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// It is answered.
    Here,
    /// The path is, with these methods.
    Other(String),
    /// Nothing is.
    Nothing,
}

/// Looks a request up.
pub fn find(method: &Method, path: &[String]) -> Found {
    let mut others: Vec<&str> = Vec::new();
    for route in all().filter(|route| route.fits(path)) {
        if route.verb.name() == method.as_str() {
            return Found::Here;
        }
        others.push(route.verb.name());
    }
    if others.is_empty() { Found::Nothing } else { Found::Other(others.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('/').skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn requests_are_looked_up() {
        assert_eq!(find(&Method::GET, &path("/version")), Found::Here);
        assert_eq!(find(&Method::GET, &path("/chains/main/blocks/head/hash")), Found::Here);
        assert_eq!(find(&Method::PUT, &path("/chains/main/blocks/head/hash")), Found::Other("GET".into()));
        assert_eq!(find(&Method::GET, &path("/chains/main/blocks/head/hash/x")), Found::Nothing);
        assert_eq!(find(&Method::GET, &path("/nowhere")), Found::Nothing);
        assert_eq!(find(&Method::GET, &[]), Found::Nothing);
    }

    #[test]
    fn every_route_stands_once() {
        let mut seen = std::collections::BTreeSet::new();
        for route in all() {
            assert!(seen.insert((route.path, route.verb)), "{:?} {}", route.verb, route.path);
            assert!(route.path.starts_with('/') && !route.path.ends_with('/'), "{}", route.path);
            assert!(route.summary.ends_with('.'), "{}", route.path);
        }
        assert!(seen.len() > 100);
    }
}
