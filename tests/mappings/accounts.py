"""Two invented CRM accounts for the tests of mappings between records."""

from mappings.accounts import Account, AccountField, AccountStage, AccountUser

AMO = Account(
    title='amoCRM "sales"',
    fields=(
        AccountField("first_name"),
        AccountField("last_name"),
        AccountField("title"),
        AccountField("phones", "Телефон", "PHONE", "11", "phone", several=True),
        AccountField("emails", "Email", "EMAIL", "12", "email", several=True),
        AccountField("price", type="money", decimals=0),
        AccountField("stage", type="stage"),
        AccountField("responsible", type="user"),
        AccountField("position", "Должность", "POSITION", "13"),
        AccountField("901", "Город", "CITY", "901", max_chars=10),
        AccountField("902", "Тип клиента", "", "902", "enum", enums={"Новый": "1", "Постоянный": "2"}),
        AccountField("903", "Интересы", "", "903", "enum", several=True, enums={"Окна": "5", "Двери": "6"}),
        AccountField("904", "Баллы", "", "904", "number", read_only=True),
        AccountField("905", "День", "", "905", "date"),
        AccountField("906", "Согласие", "", "906", "bool"),
    ),
    stages=(
        AccountStage("100", "Новая", "7", "Продажи", is_default=True),
        AccountStage("101", "Переговоры", "7", "Продажи", is_default=True),
        AccountStage("142", "Успешно реализовано", "7", "Продажи", "won", is_default=True),
        AccountStage("143", "Закрыто и не реализовано", "7", "Продажи", "lost", is_default=True),
        AccountStage("200", "Новая", "8", "Сервис"),
        AccountStage("142", "Успешно реализовано", "8", "Сервис", "won"),
    ),
    users=(
        AccountUser("101", "anna@example.ru", "Анна Петрова"),
        AccountUser("102", "oleg@example.ru", "Олег Сидоров", active=False),
    ),
    zone="Europe/Moscow",
    region="RU",
)
HUBSPOT = Account(
    title='HubSpot "hs"',
    fields=(
        AccountField("first_name", "First Name", "firstname"),
        AccountField("last_name", "Last Name", "lastname"),
        AccountField("title", "Deal Name", "dealname"),
        AccountField("phones", "Phone Number", "phone", type="phone", several=True, max_values=2),
        AccountField("emails", "Email", "email", type="email", several=True),
        AccountField("price", "Amount", "amount", type="money"),
        AccountField("stage", "Deal Stage", "dealstage", type="stage"),
        AccountField("responsible", "Contact owner", "hubspot_owner_id", type="user"),
        AccountField("position", "Job Title", "jobtitle"),
        AccountField("city", "City", "city"),
        AccountField("kind", "Kind", "kind", type="enum", enums={"New": "new", "Regular": "regular"}),
        AccountField("likes", "Likes", "likes", type="enum", several=True, enums={"Окна": "w", "Двери": "d"}),
        AccountField("score", "Score", "score", type="number"),
        AccountField("day", "Day", "day", type="date"),
        AccountField("consent", "Consent", "consent", type="bool"),
    ),
    stages=(
        AccountStage("appointmentscheduled", "Appointment", "default", "Продажи", is_default=True),
        AccountStage("talks", "Переговоры", "default", "Продажи", is_default=True),
        AccountStage("closedwon", "Closed won", "default", "Продажи", "won", is_default=True),
        AccountStage("closedlost", "Closed lost", "default", "Продажи", "lost", is_default=True),
    ),
    users=(AccountUser("9", "Anna@Example.ru", "Anna Petrova"),),
    region="RU",
)
