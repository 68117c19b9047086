//! The Query protocol: a form in, XML out.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use jiff::Timestamp;

use super::call::{Action, Call};
use super::error::Ec2Error;
use super::state::Ec2;
use super::xml::Xml;

/// The API version that the answers follow.
const VERSION: &str = "2016-11-15";

impl Ec2 {
    /// Answers one HTTP request of an AWS SDK.
    pub fn handle(
        &mut self,
        now: Timestamp,
        request: &http::Request<Vec<u8>>,
    ) -> http::Response<Vec<u8>> {
        let request_id = self.new_id("", 32);
        let (status, body) = match self.answer(now, request) {
            Ok((action, xml)) => (200, xml.into_answer(action.as_str(), &request_id)),
            Err(error) => {
                let body = Xml::refusal(&error.code, &error.message, &request_id);
                (error.status, body)
            }
        };
        let mut response = http::Response::new(body);
        *response.status_mut() =
            http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("text/xml;charset=UTF-8"),
        );
        response
    }

    fn answer(
        &mut self,
        now: Timestamp,
        request: &http::Request<Vec<u8>>,
    ) -> Result<(Action, Xml), Ec2Error> {
        self.advance(now);
        self.check_signing_time(now, request)?;
        let caller = self.caller_of(request)?;
        let params = Params::of_form(request.body())?;
        if params.required("Version")? != VERSION {
            return Err(Ec2Error::invalid_action("of that API version"));
        }
        let action = Action::from_name(params.required("Action")?)?;
        let call = Call {
            now,
            caller,
            dry_run: params.get("DryRun") == Some("true"),
        };
        let xml = match action {
            Action::CreateFleet => self.create_fleet_wire(&call, &params),
            Action::CreateLaunchTemplate => self.create_launch_template_wire(&call, &params),
            Action::CreateTags => self.create_tags_wire(&call, &params),
            Action::DescribeImages => self.describe_images_wire(&call, &params),
            Action::DescribeInstanceTypes => self.describe_instance_types_wire(&call, &params),
            Action::DescribeInstances => self.describe_instances_wire(&call, &params),
            Action::DescribeLaunchTemplates => self.describe_launch_templates_wire(&call, &params),
            Action::DescribeSpotInstanceRequests => {
                self.describe_spot_requests_wire(&call, &params)
            }
            Action::DescribeSubnets => self.describe_subnets_wire(&call, &params),
            Action::DescribeTags => self.describe_tags_wire(&call, &params),
            Action::GetConsoleOutput => self.console_output_wire(&call, &params),
            Action::RunInstances => self.run_instances_wire(&call, &params),
            Action::TerminateInstances => self.terminate_instances_wire(&call, &params),
        }?;
        Ok((action, xml))
    }
}

/// The parameters of a request, or those below one of their prefixes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Params {
    values: BTreeMap<String, String>,
}

impl Params {
    fn of_form(body: &[u8]) -> Result<Self, Ec2Error> {
        let values = serde_urlencoded::from_bytes(body)
            .map_err(|_| Ec2Error::new(400, "MalformedQueryString", "The form is malformed."))?;
        Ok(Self { values })
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Ec2Error> {
        self.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Ec2Error::missing_parameter(name))
    }

    pub(super) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Ec2Error> {
        self.get(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    Ec2Error::invalid_value(format!(
                        "Value ({text}) for parameter {name} is invalid."
                    ))
                })
            })
            .transpose()
    }

    /// What is below `prefix.`.
    pub(super) fn sub(&self, prefix: &str) -> Self {
        let values = self
            .values
            .iter()
            .filter_map(|(name, value)| {
                let below = name.strip_prefix(prefix)?.strip_prefix('.')?;
                Some((below.to_owned(), value.clone()))
            })
            .collect();
        Self { values }
    }

    /// The values of `prefix.1`, `prefix.2` ... in the order of their numbers.
    pub(super) fn list(&self, prefix: &str) -> impl Iterator<Item = String> {
        let below = self.sub(prefix);
        below
            .numbers()
            .into_iter()
            .filter_map(move |number| below.get(&number.to_string()).map(str::to_owned))
    }

    /// What is below `prefix.1.`, `prefix.2.` ... in the order of their numbers.
    pub(super) fn structs(&self, prefix: &str) -> impl Iterator<Item = Self> {
        let below = self.sub(prefix);
        below
            .numbers()
            .into_iter()
            .map(move |number| below.sub(&number.to_string()))
    }

    fn numbers(&self) -> BTreeSet<u32> {
        self.values
            .keys()
            .filter_map(|name| name.split('.').next()?.parse().ok())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_the_order_of_their_numbers() {
        let form = b"Filter.10.Name=b&Filter.2.Name=a&Filter.2.Value.1=x%26y&Id.11=k&Id.9=j";
        let params = Params::of_form(form).expect("a form");
        let names: Vec<_> = params
            .structs("Filter")
            .map(|filter| filter.get("Name").map(str::to_owned))
            .collect();
        assert_eq!(names, [Some("a".to_owned()), Some("b".to_owned())]);
        assert_eq!(params.list("Id").collect::<Vec<_>>(), ["j", "k"]);
        assert_eq!(params.get("Filter.2.Value.1"), Some("x&y"));
    }
}
