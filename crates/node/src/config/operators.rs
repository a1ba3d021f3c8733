//! The node's keys by purpose: how they are written in files and on the command line, and how both merge
//! (`spec/node.md` §1.2, §1.4, §2).

use super::{ConfigError, Mode, Purpose};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use soru_tezos::key::PublicKeyHash;
use std::collections::BTreeMap;
use std::fmt;

/// An operator as given on the command line, its key being an alias or an address not resolved yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorArgument<K = String> {
    /// For every purpose that has no key of its own.
    Default(K),
    /// For one purpose.
    For(Purpose, K),
}

impl OperatorArgument {
    /// Splits `purpose:key`, `default:key` or a bare key. A text before the colon that is no purpose belongs to the key
    /// (`alias:x`, `file:x`).
    pub fn parse(text: &str) -> Self {
        if let Some((word, key)) = text.split_once(':') {
            if word == "default" {
                return OperatorArgument::Default(key.to_owned());
            }
            if let Some(purpose) = Purpose::of_name(word) {
                return OperatorArgument::For(purpose, key.to_owned());
            }
        }
        OperatorArgument::Default(text.to_owned())
    }

    /// Turns the key text into a key.
    pub fn resolve<E>(
        self,
        resolve: impl FnOnce(&str) -> Result<PublicKeyHash, E>,
    ) -> Result<OperatorArgument<PublicKeyHash>, E> {
        Ok(match self {
            OperatorArgument::Default(key) => OperatorArgument::Default(resolve(&key)?),
            OperatorArgument::For(purpose, key) => OperatorArgument::For(purpose, resolve(&key)?),
        })
    }
}

/// The node's keys by purpose; `batching` may have several, every other purpose one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Operators(BTreeMap<Purpose, Vec<PublicKeyHash>>);

impl Operators {
    /// The keys of a purpose.
    pub fn keys(&self, purpose: Purpose) -> &[PublicKeyHash] {
        self.0.get(&purpose).map_or(&[], Vec::as_slice)
    }

    /// The only key of a purpose other than `batching`.
    pub fn key(&self, purpose: Purpose) -> Option<PublicKeyHash> {
        self.keys(purpose).first().copied()
    }

    /// Whether no purpose has a key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every key once, with the purposes it serves.
    pub fn by_key(&self) -> BTreeMap<PublicKeyHash, Vec<Purpose>> {
        let mut all: BTreeMap<PublicKeyHash, Vec<Purpose>> = BTreeMap::new();
        for (purpose, keys) in &self.0 {
            for key in keys {
                all.entry(*key).or_default().push(*purpose);
            }
        }
        all
    }

    /// The keys in groups that sign the same operations, each with its purposes: several `batching` keys take turns, any other
    /// key is alone.
    pub fn groups(&self) -> Vec<(Vec<PublicKeyHash>, Vec<Purpose>)> {
        let mut batching: Vec<PublicKeyHash> = Vec::new();
        for key in self.keys(Purpose::Batching) {
            if !batching.contains(key) {
                batching.push(*key);
            }
        }
        if batching.len() < 2 {
            return self.by_key().into_iter().map(|(key, purposes)| (vec![key], purposes)).collect();
        }
        let others =
            Operators(self.0.iter().filter(|(p, _)| **p != Purpose::Batching).map(|(p, k)| (*p, k.clone())).collect());
        let single = others.by_key().into_iter().map(|(key, purposes)| (vec![key], purposes));
        std::iter::once((batching, vec![Purpose::Batching])).chain(single).collect()
    }

    /// An error when one of several `batching` keys has another purpose too: an operation of that purpose would have to wait
    /// for its turn.
    pub fn check(&self) -> Result<(), ConfigError> {
        let groups = self.groups();
        let shared = groups.iter().filter(|(keys, _)| keys.len() > 1).find_map(|(keys, _)| {
            let single = groups.iter().filter(|(keys, _)| keys.len() == 1);
            single
                .flat_map(|(key, purposes)| key.iter().map(move |key| (key, purposes)))
                .find(|(key, _)| keys.contains(key))
        });
        match shared {
            Some((key, purposes)) => Err(ConfigError::SharedBatchingKey { key: *key, purpose: purposes[0] }),
            None => Ok(()),
        }
    }

    /// The operators of a mode: for each purpose it needs the key given for it, else the default key, else the file's
    /// (`spec/node.md` §1.4). Also returns the purposes that were given without need.
    pub fn merge(
        mode: &Mode,
        arguments: &[OperatorArgument<PublicKeyHash>],
        file: &Operators,
    ) -> Result<(Operators, Vec<Purpose>), ConfigError> {
        let (mut default, mut given) = (None, Operators::default());
        for argument in arguments {
            match *argument {
                OperatorArgument::Default(_) if default.is_some() => return Err(ConfigError::MultipleDefaultOperators),
                OperatorArgument::Default(key) => default = Some(key),
                OperatorArgument::For(Purpose::Batching, key) => {
                    given.0.entry(Purpose::Batching).or_default().push(key)
                }
                OperatorArgument::For(purpose, key) => {
                    given.0.insert(purpose, vec![key]);
                }
            }
        }
        let needed = mode.purposes();
        let (mut merged, mut missing) = (Operators::default(), vec![]);
        for purpose in &needed {
            let keys = given
                .0
                .get(purpose)
                .cloned()
                .or_else(|| default.map(|key| vec![key]))
                .or_else(|| file.0.get(purpose).cloned());
            match keys {
                Some(keys) if !keys.is_empty() => drop(merged.0.insert(*purpose, keys)),
                _ => missing.push(*purpose),
            }
        }
        if !missing.is_empty() {
            return Err(ConfigError::MissingOperators(missing));
        }
        let unused = given.0.keys().chain(file.0.keys()).filter(|purpose| !needed.contains(purpose));
        let unused: std::collections::BTreeSet<Purpose> = unused.copied().collect();
        Ok((merged, unused.into_iter().collect()))
    }
}

impl Serialize for Operators {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (purpose, keys) in &self.0 {
            match (purpose, keys.first()) {
                (Purpose::Batching, _) => map.serialize_entry(purpose.name(), keys)?,
                (_, Some(key)) => map.serialize_entry(purpose.name(), key)?,
                (_, None) => {}
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Operators {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Keys {
            One(PublicKeyHash),
            Many(Vec<PublicKeyHash>),
        }
        struct OperatorsVisitor;
        impl<'de> Visitor<'de> for OperatorsVisitor {
            type Value = Operators;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of keys by purpose")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Operators, A::Error> {
                let mut operators = Operators::default();
                while let Some(name) = map.next_key::<String>()? {
                    let purpose =
                        Purpose::of_name(&name).ok_or_else(|| A::Error::custom(format!("unknown purpose '{name}'")))?;
                    let keys = match map.next_value::<Keys>()? {
                        Keys::One(key) => vec![key],
                        Keys::Many(keys) if purpose == Purpose::Batching => keys,
                        Keys::Many(_) => return Err(A::Error::custom(format!("purpose '{name}' takes one key"))),
                    };
                    // several names of the first releases stand for one purpose now: they must agree
                    match operators.0.insert(purpose, keys.clone()) {
                        Some(before) if before != keys => {
                            return Err(A::Error::custom(format!("two different keys for purpose '{purpose}'")));
                        }
                        _ => {}
                    }
                }
                Ok(operators)
            }
        }
        deserializer.deserialize_map(OperatorsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: usize) -> PublicKeyHash {
        [
            "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx",
            "tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN",
            "tz1faswCTDciRzE4oJ9jn2Vm2dvjeyA9fUzU",
        ][n]
            .parse()
            .unwrap()
    }

    #[test]
    fn merging() {
        let arguments = [
            OperatorArgument::Default(key(0)),
            OperatorArgument::For(Purpose::Cementing, key(1)),
            OperatorArgument::For(Purpose::Recovering, key(2)),
        ];
        let (merged, unused) = Operators::merge(&Mode::Maintenance, &arguments, &Operators::default()).unwrap();
        assert_eq!(merged.key(Purpose::Operating), Some(key(0)));
        assert_eq!(merged.key(Purpose::Cementing), Some(key(1)));
        assert_eq!(merged.key(Purpose::Recovering), None);
        assert_eq!(unused, [Purpose::Recovering]);
        let kept = Operators::merge(&Mode::Maintenance, &[OperatorArgument::For(Purpose::Cementing, key(2))], &merged);
        assert_eq!(kept.unwrap().0.key(Purpose::Operating), Some(key(0)));
        let missing = Operators::merge(&Mode::Operator, &[], &Operators::default()).unwrap_err();
        assert_eq!(
            missing.to_string(),
            "Missing operators for purposes operating, batching, cementing, executing_outbox."
        );
        let twice = [OperatorArgument::Default(key(0)), OperatorArgument::Default(key(1))];
        assert_eq!(
            Operators::merge(&Mode::Operator, &twice, &merged).unwrap_err().to_string(),
            "Multiple default operators"
        );
    }

    #[test]
    fn groups_of_keys() {
        let groups = |text: String| {
            let operators: Operators = serde_json::from_str(&text).unwrap();
            (operators.groups(), operators.check())
        };
        let (groups_of_two, checked) = groups(format!(
            r#"{{"operating":"{0}","cementing":"{0}","batching":["{1}","{2}","{1}"]}}"#,
            key(0),
            key(1),
            key(2)
        ));
        let expected = [
            (vec![key(1), key(2)], vec![Purpose::Batching]),
            (vec![key(0)], vec![Purpose::Operating, Purpose::Cementing]),
        ];
        assert_eq!((groups_of_two.as_slice(), checked), (expected.as_slice(), Ok(())));
        let (alone, checked) = groups(format!(r#"{{"operating":"{0}","batching":["{0}"]}}"#, key(0)));
        assert_eq!(alone, [(vec![key(0)], vec![Purpose::Operating, Purpose::Batching])]);
        assert_eq!(checked, Ok(()));
        let (_, checked) = groups(format!(r#"{{"operating":"{0}","batching":["{0}","{1}"]}}"#, key(0), key(1)));
        assert_eq!(checked, Err(ConfigError::SharedBatchingKey { key: key(0), purpose: Purpose::Operating }));
    }

    #[test]
    fn files_of_the_first_releases() {
        let text = format!(r#"{{"publish":"{0}","refute":"{0}","add_messages":"{1}"}}"#, key(0), key(1));
        let operators: Operators = serde_json::from_str(&text).unwrap();
        assert_eq!(operators.keys(Purpose::Operating), [key(0)]);
        assert_eq!(operators.keys(Purpose::Batching), [key(1)]);
        let text = format!(r#"{{"publish":"{}","refute":"{}"}}"#, key(0), key(1));
        assert!(serde_json::from_str::<Operators>(&text).is_err());
    }

    #[test]
    fn arguments() {
        assert_eq!(OperatorArgument::parse("alias:x"), OperatorArgument::Default("alias:x".into()));
        assert_eq!(OperatorArgument::parse("default:x"), OperatorArgument::Default("x".into()));
        assert_eq!(OperatorArgument::parse("publish:x"), OperatorArgument::For(Purpose::Operating, "x".into()));
    }
}
