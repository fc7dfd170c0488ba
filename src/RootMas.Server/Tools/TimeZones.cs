using System.Collections.Frozen;

namespace RootMas.Server.Tools;

/// <summary>Time zones by the names that people use: IANA names, their last part (a city), and large cities that have no zone of their own.</summary>
internal static class TimeZones
{
    private static readonly FrozenDictionary<string, string> Cities = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
    {
        ["gmt"] = "UTC", ["z"] = "UTC", ["мск"] = "Europe/Moscow", ["msk"] = "Europe/Moscow", ["москва"] = "Europe/Moscow", ["moskau"] = "Europe/Moscow",
        ["saint petersburg"] = "Europe/Moscow", ["st petersburg"] = "Europe/Moscow", ["st. petersburg"] = "Europe/Moscow", ["санкт-петербург"] = "Europe/Moscow", ["петербург"] = "Europe/Moscow",
        ["kazan"] = "Europe/Moscow", ["казань"] = "Europe/Moscow", ["nizhny novgorod"] = "Europe/Moscow", ["нижний новгород"] = "Europe/Moscow", ["sochi"] = "Europe/Moscow", ["сочи"] = "Europe/Moscow",
        ["rostov-on-don"] = "Europe/Moscow", ["ростов-на-дону"] = "Europe/Moscow", ["краснодар"] = "Europe/Moscow", ["krasnodar"] = "Europe/Moscow", ["voronezh"] = "Europe/Moscow", ["воронеж"] = "Europe/Moscow",
        ["калининград"] = "Europe/Kaliningrad", ["самара"] = "Europe/Samara", ["саратов"] = "Europe/Saratov", ["волгоград"] = "Europe/Volgograd",
        ["екатеринбург"] = "Asia/Yekaterinburg", ["ekaterinburg"] = "Asia/Yekaterinburg", ["челябинск"] = "Asia/Yekaterinburg", ["chelyabinsk"] = "Asia/Yekaterinburg", ["уфа"] = "Asia/Yekaterinburg", ["ufa"] = "Asia/Yekaterinburg",
        ["пермь"] = "Asia/Yekaterinburg", ["perm"] = "Asia/Yekaterinburg", ["тюмень"] = "Asia/Yekaterinburg", ["tyumen"] = "Asia/Yekaterinburg", ["омск"] = "Asia/Omsk", ["новосибирск"] = "Asia/Novosibirsk",
        ["томск"] = "Asia/Tomsk", ["красноярск"] = "Asia/Krasnoyarsk", ["иркутск"] = "Asia/Irkutsk", ["якутск"] = "Asia/Yakutsk", ["владивосток"] = "Asia/Vladivostok", ["хабаровск"] = "Asia/Vladivostok",
        ["khabarovsk"] = "Asia/Vladivostok", ["магадан"] = "Asia/Magadan", ["камчатка"] = "Asia/Kamchatka", ["минск"] = "Europe/Minsk", ["киев"] = "Europe/Kyiv", ["kiev"] = "Europe/Kyiv", ["алматы"] = "Asia/Almaty",
        ["астана"] = "Asia/Almaty", ["astana"] = "Asia/Almaty", ["ташкент"] = "Asia/Tashkent", ["бишкек"] = "Asia/Bishkek", ["баку"] = "Asia/Baku", ["ереван"] = "Asia/Yerevan", ["тбилиси"] = "Asia/Tbilisi",
        ["лондон"] = "Europe/London", ["париж"] = "Europe/Paris", ["берлин"] = "Europe/Berlin", ["munich"] = "Europe/Berlin", ["мюнхен"] = "Europe/Berlin", ["hamburg"] = "Europe/Berlin", ["frankfurt"] = "Europe/Berlin",
        ["рим"] = "Europe/Rome", ["milan"] = "Europe/Rome", ["мадрид"] = "Europe/Madrid", ["barcelona"] = "Europe/Madrid", ["варшава"] = "Europe/Warsaw", ["прага"] = "Europe/Prague", ["вена"] = "Europe/Vienna",
        ["geneva"] = "Europe/Zurich", ["стамбул"] = "Europe/Istanbul", ["ankara"] = "Europe/Istanbul", ["дубай"] = "Asia/Dubai", ["abu dhabi"] = "Asia/Dubai", ["тель-авив"] = "Asia/Jerusalem", ["tel aviv"] = "Asia/Jerusalem",
        ["дели"] = "Asia/Kolkata", ["delhi"] = "Asia/Kolkata", ["new delhi"] = "Asia/Kolkata", ["mumbai"] = "Asia/Kolkata", ["мумбаи"] = "Asia/Kolkata", ["bangalore"] = "Asia/Kolkata", ["пекин"] = "Asia/Shanghai",
        ["beijing"] = "Asia/Shanghai", ["шанхай"] = "Asia/Shanghai", ["shenzhen"] = "Asia/Shanghai", ["гонконг"] = "Asia/Hong_Kong", ["токио"] = "Asia/Tokyo", ["osaka"] = "Asia/Tokyo", ["сеул"] = "Asia/Seoul",
        ["бангкок"] = "Asia/Bangkok", ["сингапур"] = "Asia/Singapore", ["сидней"] = "Australia/Sydney", ["нью-йорк"] = "America/New_York", ["nyc"] = "America/New_York", ["washington"] = "America/New_York",
        ["вашингтон"] = "America/New_York", ["boston"] = "America/New_York", ["бостон"] = "America/New_York", ["miami"] = "America/New_York", ["atlanta"] = "America/New_York", ["чикаго"] = "America/Chicago",
        ["houston"] = "America/Chicago", ["dallas"] = "America/Chicago", ["austin"] = "America/Chicago", ["лос-анджелес"] = "America/Los_Angeles", ["san francisco"] = "America/Los_Angeles",
        ["сан-франциско"] = "America/Los_Angeles", ["seattle"] = "America/Los_Angeles", ["las vegas"] = "America/Los_Angeles", ["montreal"] = "America/Toronto", ["торонто"] = "America/Toronto",
        ["rio de janeiro"] = "America/Sao_Paulo", ["буэнос-айрес"] = "America/Argentina/Buenos_Aires", ["каир"] = "Africa/Cairo", ["cape town"] = "Africa/Johannesburg",
    }.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    // "Buenos Aires" is the last part of America/Argentina/Buenos_Aires.
    private static readonly Lazy<FrozenDictionary<string, TimeZoneInfo>> ByLastPart = new(static () =>
        TimeZoneInfo.GetSystemTimeZones()
            .Where(static zone => zone.Id.Contains('/', StringComparison.Ordinal) && !zone.Id.StartsWith("Etc/", StringComparison.Ordinal))
            .OrderBy(static zone => zone.Id.StartsWith("US/", StringComparison.Ordinal)) // America/… names the same places better
            .DistinctBy(static zone => City(zone.Id), StringComparer.OrdinalIgnoreCase)
            .ToFrozenDictionary(static zone => City(zone.Id), StringComparer.OrdinalIgnoreCase));

    public static TimeZoneInfo? Find(string name)
    {
        if (Cities.TryGetValue(name, out var id))
        {
            return TimeZoneInfo.TryFindSystemTimeZoneById(id, out var known) ? known : null;
        }

        // Only names, never paths: the id is a file name below the system's zone directory.
        return IsName(name) && TimeZoneInfo.TryFindSystemTimeZoneById(name, out var zone) ? zone : ByLastPart.Value.GetValueOrDefault(name.Replace('_', ' '));
    }

    private static bool IsName(string name) => name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '/' or '_' or '-' or '+') && !name.StartsWith('/');

    private static string City(string id) => id[(id.LastIndexOf('/') + 1)..].Replace('_', ' ');
}
