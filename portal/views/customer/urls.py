from django.urls import path

from portal.views.customer import account, alerts, brand, links, machines, overview, rewards, statements

app_name = "customer"
urlpatterns = [
    path("overview/", overview.overview, name="overview"),
    path("machines/", machines.machines, name="machines"),
    path("machines/csv/", machines.machines_csv, name="machines_csv"),
    path("machines/<str:code>/", machines.machine, name="machine"),
    path("machines/<str:code>/csv/", machines.machine_csv, name="machine_csv"),
    path("uptime/", machines.uptime_month, name="uptime"),
    path("uptime/csv/", machines.uptime_csv, name="uptime_csv"),
    path("uptime/json/", machines.uptime_json, name="uptime_json"),
    path("rewards/", rewards.rewards, name="rewards"),
    path("rewards/csv/", rewards.rewards_csv, name="rewards_csv"),
    path("statements/", statements.statements, name="statements"),
    path("statements/<str:code>/", statements.statement, name="statement"),
    path("statements/<str:code>/pdf/", statements.statement_pdf, name="statement_pdf"),
    path("statements/<str:code>/csv/", statements.statement_csv, name="statement_csv"),
    path("watcher-links/", links.links, name="links"),
    path("brand/<slug:colour>.css", brand.brand, name="brand"),
    path("brand/<slug:provider>/<slug:sha256>.png", brand.logo, name="logo"),
    path("alerts/", alerts.alerts, name="alerts"),
    path("alerts/rules/<slug:kind>/", alerts.rule_change, name="alert_rule"),
    path("alerts/mails/", alerts.mails_change, name="alert_mails"),
    path("me/", account.account, name="account"),
]
