//! Values that senders write sometimes as text and sometimes as a number: ids, and whatever a person's template leaves
//! without quotes.

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Reads a text, number or boolean as text, and anything else as nothing: none of the fields read so is worth refusing
/// an alert. For `#[serde(default, deserialize_with = "…")]`.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(Text)
}

struct Text;

impl<'de> Visitor<'de> for Text {
    type Value = Option<String>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.to_owned()).filter(|text| !text.trim().is_empty()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Some(truth.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Holder {
        #[serde(default, deserialize_with = "super::text")]
        id: Option<String>,
    }

    #[test]
    fn an_id_may_be_text_or_number_and_never_fails() {
        let id = |body: &str| serde_json::from_str::<Holder>(body).unwrap().id;
        assert_eq!(id(r#"{"id":"7"}"#).as_deref(), Some("7"));
        assert_eq!(id(r#"{"id":7}"#).as_deref(), Some("7"));
        assert_eq!(id(r#"{"id":-7}"#).as_deref(), Some("-7"));
        assert_eq!(id(r#"{"id":0.5}"#).as_deref(), Some("0.5"));
        for nothing in [r#"{"id":" "}"#, r#"{"id":null}"#, r#"{"id":[[1],{}]}"#, r#"{"id":{"a":{}}}"#, "{}"] {
            assert_eq!(id(nothing), None, "{nothing}");
        }
    }
}
