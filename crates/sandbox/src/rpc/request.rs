//! A request taken apart: path segments, query, JSON body.

use super::answer::Answer;
use crate::nesting::{MAX_NESTING, is_shallow};
use axum::http::Method;
use serde::de::DeserializeOwned;
use soru_http::{Held, percent_decoded};

/// A request whose path and query are decoded.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The segments of the path, decoded; empty ones are left out.
    pub path: Vec<String>,
    /// Query parameters in order.
    query: Vec<(String, String)>,
    /// The body.
    pub body: Held,
}

impl Request {
    /// Takes a path and a query apart.
    pub fn new(method: Method, path: &str, query: Option<&str>, body: Held) -> Request {
        let path = path.split('/').filter(|segment| !segment.is_empty()).map(percent_decoded).collect();
        let query = query
            .unwrap_or_default()
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                (percent_decoded(name), percent_decoded(&value.replace('+', " ")))
            })
            .collect();
        Request { method, path, query, body }
    }

    /// The first query parameter of this name.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All query parameters of this name.
    pub fn query_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A query parameter that is a flag: present without value, or `true`, `yes`, `1`.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.query(name).map(|value| matches!(value, "" | "true" | "yes" | "1"))
    }

    /// The body, read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Answer> {
        if !is_shallow(&self.body) {
            return Err(Answer::bad_body(format!("JSON nests deeper than {MAX_NESTING}")));
        }
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        reader.disable_recursion_limit();
        let value = T::deserialize(&mut reader).map_err(Answer::bad_body)?;
        reader.end().map_err(Answer::bad_body)?;
        Ok(value)
    }

    /// Whether the method is `GET`.
    pub fn is_get(&self) -> bool {
        self.method == Method::GET
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries() {
        let request = Request::new(
            Method::GET,
            "/chains//main/blocks/head%7E2/%zz/",
            Some("a=1&b&a=2&c=%20x"),
            bytes::Bytes::new().into(),
        );
        assert_eq!(request.path, ["chains", "main", "blocks", "head~2", "%zz"]);
        assert_eq!(request.query("a"), Some("1"));
        assert_eq!(request.query_all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(request.flag("b"), Some(true));
        assert_eq!(request.query("c"), Some(" x"));
        assert_eq!(request.flag("d"), None);
    }
}
