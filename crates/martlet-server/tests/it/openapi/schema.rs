//! As much of JSON Schema as the description uses. A keyword that is not known here is an error,
//! so that nothing is described that is not checked.

use serde_json::Value;

use super::pattern;

/// Words that say something to people only.
const REMARKS: &[&str] =
    &["description", "default", "example", "examples", "contentEncoding", "title"];

/// A document with schemas in it.
pub struct Schemas<'a>(pub &'a Value);

impl<'a> Schemas<'a> {
    /// Follows a reference.
    pub fn resolve(&self, value: &'a Value) -> &'a Value {
        value["$ref"].as_str().map_or(value, |path| self.target(path).unwrap())
    }

    fn target(&self, path: &str) -> Result<&'a Value, String> {
        let pointer = path.strip_prefix('#').ok_or(format!("{path} leads elsewhere"))?;
        self.0.pointer(pointer).ok_or(format!("{path} leads nowhere"))
    }

    /// Whether `value` is what `schema` says; else, what is wrong.
    pub fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let Some(words) = schema.as_object() else {
            return if schema == true { Ok(()) } else { Err(format!("{value} is not allowed")) };
        };
        words.iter().try_for_each(|(word, rule)| self.rule(schema, word, rule, value))
    }

    fn rule(&self, schema: &Value, word: &str, rule: &Value, value: &Value) -> Result<(), String> {
        let holds = match word {
            "$ref" => return self.check(self.target(rule.as_str().unwrap_or_default())?, value),
            "type" => is(rule.as_str().unwrap_or_default(), value)?,
            "const" => rule == value,
            "enum" => rule.as_array().is_some_and(|all| all.contains(value)),
            "required" => {
                names(rule).all(|name| value.as_object().is_none_or(|o| o.contains_key(name)))
            }
            "minLength" => length(value).is_none_or(|n| n >= number(rule)),
            "maxLength" => length(value).is_none_or(|n| n <= number(rule)),
            "maxItems" => value.as_array().is_none_or(|list| list.len() as f64 <= number(rule)),
            "minimum" => value.as_f64().is_none_or(|n| n >= number(rule)),
            "maximum" => value.as_f64().is_none_or(|n| n <= number(rule)),
            "pattern" => {
                value.as_str().is_none_or(|text| pattern::fits(rule.as_str().unwrap(), text))
            }
            "oneOf" => {
                let all = rule.as_array().into_iter().flatten();
                all.filter(|one| self.check(one, value).is_ok()).count() == 1
            }
            "items" => {
                let mut items = value.as_array().into_iter().flatten();
                return items.try_for_each(|item| self.check(rule, item));
            }
            "properties" => {
                let mut all = rule.as_object().into_iter().flatten();
                return all.try_for_each(|(name, rule)| match value.get(name) {
                    Some(part) => self.check(rule, part).map_err(|why| format!("{name}: {why}")),
                    None => Ok(()),
                });
            }
            "additionalProperties" => {
                let known = |name: &str| schema["properties"].get(name).is_some();
                let mut others = value.as_object().into_iter().flatten();
                return others.try_for_each(|(name, part)| match known(name) {
                    true => Ok(()),
                    false => self.check(rule, part).map_err(|why| format!("{name}: {why}")),
                });
            }
            word if REMARKS.contains(&word) => true,
            _ => return Err(format!("{word} is not known to these tests")),
        };
        if holds { Ok(()) } else { Err(format!("{value} breaks {word}: {rule}")) }
    }

    /// Whether everything in a schema is known here.
    pub fn sound(&self, schema: &Value) -> Result<(), String> {
        for (word, rule) in schema.as_object().into_iter().flatten() {
            match word.as_str() {
                "$ref" => _ = self.target(rule.as_str().unwrap_or_default())?,
                "pattern" => _ = pattern::fits(rule.as_str().unwrap(), ""),
                "properties" => {
                    rule.as_object().unwrap().values().try_for_each(|s| self.sound(s))?
                }
                "oneOf" => rule.as_array().unwrap().iter().try_for_each(|s| self.sound(s))?,
                "items" | "additionalProperties" => self.sound(rule)?,
                _ => match self.rule(schema, word, rule, &Value::Null) {
                    Err(why) if why.contains("not known") => return Err(why),
                    _ => {}
                },
            }
        }
        Ok(())
    }

    /// Every schema of a request or answer in `value`, with its example.
    pub fn each_media(&self, value: &'a Value, each: &mut impl FnMut(&Value, Option<&Value>)) {
        if let Some(path) = value["$ref"].as_str() {
            let target = self.target(path).unwrap();
            return self.each_media(target, each);
        }
        if let Some(schema) = value.get("schema") {
            each(schema, value.get("example"));
        }
        match value {
            Value::Object(parts) => {
                let parts =
                    parts.iter().filter(|(name, _)| *name != "schema" && *name != "example");
                parts.for_each(|(_, part)| self.each_media(part, each));
            }
            Value::Array(parts) => parts.iter().for_each(|part| self.each_media(part, each)),
            _ => {}
        }
    }
}

fn is(kind: &str, value: &Value) -> Result<bool, String> {
    Ok(match kind {
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        _ => return Err(format!("{kind} is not known to these tests")),
    })
}

fn names(rule: &Value) -> impl Iterator<Item = &str> {
    rule.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn number(rule: &Value) -> f64 {
    rule.as_f64().unwrap_or(f64::NAN)
}

fn length(value: &Value) -> Option<f64> {
    value.as_str().map(|text| text.chars().count() as f64)
}
