use super::*;
use crate::aws_auth::sign;

const ACCOUNT_KEY: &str = "AKIAFAKE";

fn request(form: &str) -> http::Request<Vec<u8>> {
    http::Request::post("/")
        .body(format!("Version=2016-11-15&{form}").into_bytes())
        .expect("a request")
}

fn answer(ec2: &mut Ec2, seconds: i64, request: &http::Request<Vec<u8>>) -> (u16, String) {
    let response = ec2.handle(at(seconds), request);
    let status = response.status().as_u16();
    let body = String::from_utf8(response.into_body()).expect("text");
    (status, body)
}

pub(super) fn called(ec2: &mut Ec2, seconds: i64, form: &str) -> (u16, String) {
    let mut request = request(form);
    sign(&mut request, ACCOUNT_KEY, "any", "ec2");
    answer(ec2, seconds, &request)
}

fn tag_form(id: &InstanceId, value: &str) -> String {
    format!(
        "Action=CreateTags&ResourceId.1={id}\
         &Tag.1.Key=runs-on-workflow-job-interrupted&Tag.1.Value={value}"
    )
}

#[test]
fn a_fleet_is_launched_by_form_and_described_in_xml() {
    let mut ec2 = ec2();
    ec2.set_capacity(zone_a(), Supply::Left(0));
    let overrides = "LaunchTemplateConfigs.1.Overrides";
    let (status, body) = called(
        &mut ec2,
        0,
        &format!(
            "Action=CreateFleet&Type=instant&ClientToken=t\
             &LaunchTemplateConfigs.1.LaunchTemplateSpecification.LaunchTemplateName=runner\
             &LaunchTemplateConfigs.1.LaunchTemplateSpecification.Version=1\
             &{overrides}.1.SubnetId=subnet-eu-west-1a&{overrides}.2.SubnetId=subnet-eu-west-1b\
             &TargetCapacitySpecification.TotalTargetCapacity=1\
             &TargetCapacitySpecification.DefaultTargetCapacityType=spot\
             &TagSpecification.1.ResourceType=instance\
             &TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=%3Ca%26b%3E"
        ),
    );
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("<errorCode>InsufficientInstanceCapacity</errorCode>"));
    assert!(body.contains("<lifecycle>spot</lifecycle>"));
    let (_, body) = called(&mut ec2, 30, "Action=DescribeInstances");
    assert!(
        body.contains("<key>k</key><value>&lt;a&amp;b&gt;</value>"),
        "{body}"
    );
    assert!(body.contains("<instanceLifecycle>spot</instanceLifecycle>"));
    assert!(body.contains("<code>16</code><name>running</name>"));
}

#[test]
fn an_unsigned_request_is_refused() {
    let (status, body) = answer(&mut ec2(), 0, &request("Action=DescribeInstances"));
    assert_eq!(status, 403);
    assert!(
        body.contains("<Code>MissingAuthenticationToken</Code>"),
        "{body}"
    );
}

#[test]
fn a_signature_for_another_service_is_refused() {
    let mut request = request("Action=DescribeInstances");
    sign(&mut request, ACCOUNT_KEY, "any", "sqs");
    let (status, body) = answer(&mut ec2(), 0, &request);
    assert_eq!(status, 401);
    assert!(body.contains("<Code>AuthFailure</Code>"), "{body}");
}

/// [`sign`] always says midnight.
#[test]
fn a_signature_of_another_time_is_refused_where_that_is_asked_for() {
    let mut ec2 = ec2();
    let form = "Action=DescribeInstances&MaxResults=5";
    assert_eq!(called(&mut ec2, 3600, form).0, 200);
    ec2.settings.signatures_last = Some(SignedDuration::from_mins(5));
    let (status, body) = called(&mut ec2, 3601, form);
    assert_eq!(status, 400);
    assert!(body.contains("<Code>RequestExpired</Code>"), "{body}");
}

#[test]
fn an_unknown_action_is_refused() {
    let (status, body) = called(&mut ec2(), 0, "Action=RebootInstances&InstanceId.1=i-1");
    assert_eq!(status, 400);
    assert!(body.contains("<Code>InvalidAction</Code>"), "{body}");
}

#[test]
fn an_id_that_is_none_is_malformed() {
    let (status, body) = called(
        &mut ec2(),
        0,
        "Action=TerminateInstances&InstanceId.1=i-xyz",
    );
    assert_eq!(status, 400);
    assert!(
        body.contains("<Code>InvalidInstanceID.Malformed</Code>"),
        "{body}"
    );
}

#[test]
fn fleets_that_are_not_instant_are_refused() {
    let (_, body) = called(&mut ec2(), 0, "Action=CreateFleet&Type=maintain");
    assert!(body.contains("<Code>UnsupportedOperation</Code>"), "{body}");
}

#[test]
fn an_instance_tags_itself_with_its_roles_credentials() {
    let mut ec2 = ec2();
    let ids = launch_spot(&mut ec2, 2);
    let credentials = ec2.credentials(&ids[0], at(30)).expect("credentials");
    let as_instance = |form: &str, secret: &str| {
        let mut request = request(form);
        let token = credentials.token.parse().expect("plain text");
        request.headers_mut().insert("x-amz-security-token", token);
        sign(&mut request, &credentials.access_key_id, secret, "ec2");
        request
    };
    let secret = &credentials.secret_access_key;
    let own = as_instance(&tag_form(&ids[0], "true"), secret);
    let (status, body) = answer(&mut ec2, 30, &own);
    assert_eq!(status, 200, "{body}");
    let foreign = as_instance(&tag_form(&ids[1], "true"), secret);
    let (status, body) = answer(&mut ec2, 30, &foreign);
    assert_eq!(status, 403);
    assert!(
        body.contains("<Code>UnauthorizedOperation</Code>"),
        "{body}"
    );
    let forged = as_instance(&tag_form(&ids[0], "true"), "guessed");
    assert_eq!(answer(&mut ec2, 30, &forged).0, 401);
}

#[test]
fn the_record_names_who_called_what() {
    let mut ec2 = ec2();
    let ids = launch_spot(&mut ec2, 1);
    called(&mut ec2, 30, &tag_form(&ids[0], "true"));
    let last = ec2.calls().last().expect("a call");
    assert_eq!(last.action, Action::CreateTags);
    assert_eq!(last.caller, Caller::Account(ACCOUNT_KEY.to_owned()));
    assert_eq!((last.at, last.error.clone()), (at(30), None));
}

#[test]
fn launch_templates_can_be_created_and_described() {
    let mut ec2 = ec2();
    let create = "Action=CreateLaunchTemplate&LaunchTemplateName=new\
                  &LaunchTemplateData.ImageId=ami-1&LaunchTemplateData.InstanceType=c7a.large";
    assert_eq!(called(&mut ec2, 0, create).0, 200);
    let (_, body) = called(&mut ec2, 0, create);
    assert!(body.contains("InvalidLaunchTemplateName.AlreadyExistsException"));
    let describe = "Action=DescribeLaunchTemplates&LaunchTemplateName.1=new";
    let (_, body) = called(&mut ec2, 0, describe);
    assert!(body.contains("<launchTemplateName>new</launchTemplateName>"));
}

#[test]
fn tags_and_spot_requests_are_described_in_xml() {
    let mut ec2 = ec2();
    let ids = launch_spot(&mut ec2, 1);
    called(&mut ec2, 30, &tag_form(&ids[0], "true"));
    let filters = format!(
        "Filter.1.Name=resource-id&Filter.1.Value.1={}&Filter.2.Name=key&Filter.2.Value.1=runs-*",
        ids[0]
    );
    let (_, body) = called(&mut ec2, 30, &format!("Action=DescribeTags&{filters}"));
    assert_eq!(body.matches("<item>").count(), 1, "{body}");
    assert!(body.contains("<value>true</value>"));
    let (_, body) = called(&mut ec2, 30, "Action=DescribeSpotInstanceRequests");
    assert!(body.contains("<status><code>fulfilled</code>"), "{body}");
}
