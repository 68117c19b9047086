//! Launch templates: registered by direct call or over the wire, one version each.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::buckets::Bucket;
use super::call::{Action, Call};
use super::error::Ec2Error;
use super::query::Params;
use super::state::Ec2;
use super::tags::{check_tags, tag_set, tag_specifications};
use super::xml::{Xml, millis};

/// What a launch template gives to an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaunchTemplate {
    /// Its name.
    pub name: String,
    /// The image, unless an override names one.
    pub image: Option<String>,
    /// The type, unless an override names one.
    pub instance_type: Option<String>,
    /// The name of the instance's role.
    pub role: Option<String>,
    /// Whether the metadata service tells the tags.
    pub tags_in_metadata: bool,
    /// The user data (base64).
    pub user_data: Option<String>,
    /// Tags for the instances.
    pub instance_tags: BTreeMap<String, String>,
}

/// A launch template that EC2 knows.
#[derive(Debug, Clone)]
pub(super) struct Registered {
    pub(super) id: String,
    created_at: Timestamp,
    pub(super) template: LaunchTemplate,
}

/// How a request names a launch template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TemplateRef {
    /// By id, as `lt-0123456789abcdef0`.
    Id(String),
    /// By name.
    Name(String),
}

impl Ec2 {
    /// Registers a launch template under its name, replacing one of that name; tells its id.
    pub fn register_launch_template(&mut self, now: Timestamp, template: LaunchTemplate) -> String {
        self.advance(now);
        self.templates
            .retain(|_, other| other.template.name != template.name);
        let id = self.new_id("lt-", 17);
        let registered = Registered {
            id: id.clone(),
            created_at: now,
            template,
        };
        self.templates.insert(id.clone(), registered);
        id
    }

    pub(super) fn template(&self, wanted: &TemplateRef) -> Result<&Registered, Ec2Error> {
        match wanted {
            TemplateRef::Id(id) => self.templates.get(id).ok_or_else(|| {
                Ec2Error::new(
                    400,
                    "InvalidLaunchTemplateId.NotFound",
                    format!("The specified launch template, with template ID {id}, does not exist."),
                )
            }),
            TemplateRef::Name(name) => self
                .templates
                .values()
                .find(|registered| registered.template.name == *name)
                .ok_or_else(|| {
                    Ec2Error::new(
                        400,
                        "InvalidLaunchTemplateName.NotFoundException",
                        format!(
                            "The specified launch template, with template name {name}, does not exist."
                        ),
                    )
                }),
        }
    }

    pub(super) fn create_launch_template_wire(
        &mut self,
        call: &Call,
        params: &Params,
    ) -> Result<Xml, Ec2Error> {
        let action = Action::CreateLaunchTemplate;
        let id = self.called(call, action, &[(Bucket::Calls(action), 1)], |ec2| {
            let template = read_template(params)?;
            let wanted = TemplateRef::Name(template.name.clone());
            if ec2.template(&wanted).is_ok() {
                return Err(Ec2Error::new(
                    400,
                    "InvalidLaunchTemplateName.AlreadyExistsException",
                    "Launch template name already in use.",
                ));
            }
            call.unless_dry()?;
            Ok(ec2.register_launch_template(call.now, template))
        })?;
        let mut xml = Xml::default();
        if let Some(one) = self.templates.get(&id) {
            xml.within("launchTemplate", |xml| self.template_xml(xml, one));
        }
        Ok(xml)
    }

    pub(super) fn describe_launch_templates_wire(
        &mut self,
        call: &Call,
        params: &Params,
    ) -> Result<Xml, Ec2Error> {
        let wanted: Vec<TemplateRef> = params
            .list("LaunchTemplateId")
            .map(TemplateRef::Id)
            .chain(params.list("LaunchTemplateName").map(TemplateRef::Name))
            .collect();
        let action = Action::DescribeLaunchTemplates;
        let bucket = if wanted.is_empty() {
            Bucket::UnfilteredCalls(action)
        } else {
            Bucket::Calls(action)
        };
        let found = self.called(call, action, &[(bucket, 1)], |ec2| {
            call.unless_dry()?;
            if wanted.is_empty() {
                return Ok(ec2.templates.values().cloned().collect());
            }
            wanted
                .iter()
                .map(|one| ec2.template(one).cloned())
                .collect::<Result<Vec<_>, _>>()
        })?;
        let mut xml = Xml::default();
        xml.items("launchTemplates", &found, |xml, one| {
            self.template_xml(xml, one);
        });
        Ok(xml)
    }

    fn template_xml(&self, xml: &mut Xml, one: &Registered) {
        xml.text("launchTemplateId", &one.id);
        xml.text("launchTemplateName", &one.template.name);
        xml.text("createTime", &millis(one.created_at));
        let account = &self.settings.account;
        xml.text("createdBy", &format!("arn:aws:iam::{account}:root"));
        xml.text("defaultVersionNumber", "1");
        xml.text("latestVersionNumber", "1");
        tag_set(xml, &BTreeMap::new());
    }
}

fn read_template(params: &Params) -> Result<LaunchTemplate, Ec2Error> {
    let data = params.sub("LaunchTemplateData");
    let metadata = data.sub("MetadataOptions");
    let profile = data.sub("IamInstanceProfile");
    let tags = tag_specifications(&data)?;
    let instance_tags = tags.get("instance").cloned().unwrap_or_default();
    check_tags(&instance_tags)?;
    Ok(LaunchTemplate {
        name: params.required("LaunchTemplateName")?.to_owned(),
        image: data.get("ImageId").map(str::to_owned),
        instance_type: data.get("InstanceType").map(str::to_owned),
        role: profile
            .get("Name")
            .or_else(|| profile.get("Arn").and_then(|arn| arn.rsplit('/').next()))
            .map(str::to_owned),
        tags_in_metadata: metadata.get("InstanceMetadataTags") == Some("enabled"),
        user_data: data.get("UserData").map(str::to_owned),
        instance_tags,
    })
}
