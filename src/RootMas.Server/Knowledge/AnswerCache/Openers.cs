using System.Collections.Frozen;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>Words that a sentence begins with and that are no names: question words, auxiliaries, pronouns, articles, what joins, greetings, and what people ask a machine to do. English and Russian, in lower case, all forms.</summary>
internal static class Openers
{
    private static readonly FrozenSet<string> Words = """
        who whom whose what which when where why how whats whos wheres hows whether whatever whenever wherever whichever whoever
        am is are was were be been being do does did done doing have has had having can could may might must shall should will would ought need needs dare let
        i you he she it we they me him her us them my your his its our their mine yours hers ours theirs myself yourself himself herself itself ourselves themselves
        this that these those there here someone somebody something somehow somewhere anyone anybody anything anyhow anyway anywhere anytime everyone everybody everything everywhere
        a an the one ones each every either some any all both few many much more most several other others another such same own half
        and but or so because since if while although though unless until till as than then thus hence therefore however otherwise instead besides also too
        after before during for from in into on onto of off out over under up down at by with within about above across against along among amongst around behind below beneath beside between beyond despite inside like near
        outside per regarding concerning through throughout to toward towards upon via
        again already always apparently approximately basically briefly certainly currently definitely earlier eventually ever exactly finally first firstly frequently generally hopefully immediately just last lastly lately later maybe
        moreover mostly next now obviously often once only originally perhaps please possibly previously probably quickly quite really recently second secondly simply sometimes soon still suddenly supposedly today tomorrow tonight
        totally typically unfortunately usually very yesterday yet
        hi hello hey heyy dear thanks thank ok okay oh um uh well yes yeah yep sorry excuse welcome good great nice wow
        im ive id ill dont doesnt didnt cant wont isnt arent wasnt couldnt shouldnt wouldnt havent hasnt thats theres heres lets youre youve theyre weve
        tell show give explain describe list find get make help want write create add remove delete set change update use start stop open close send check compare define translate summarize summarise calculate compute solve convert
        suggest recommend provide search look see read run try go come take put keep call ask answer buy pay sell cancel order book plan build fix install configure enable turn move copy paste save load draw generate rewrite correct
        improve prove report identify choose pick sort count measure estimate evaluate analyze analyse review test verify confirm clarify outline discuss share teach guide instruct assist advise remind notify continue repeat print
        display return replace rename import export upload download log sign register subscribe connect activate freeze block reset restore recover transfer withdraw deposit exchange top
        looking trying wondering asking thinking planning using getting making given assuming suppose supposing imagine considering according
        кто кого кому кем ком что чего чему чем чём чем-то где куда откуда когда почему зачем отчего как каков какова каково каковы какой какая какое какие какого каких какому каким какими какую каком сколько скольких скольким
        сколькими чей чья чьё чье чьи чьего чьей чьих чьему чьим чьими чьём чьем чью насколько который которая которое которые которого которой которых которому которым которыми которую котором разве неужели ли
        я меня мне мной мною ты тебя тебе тобой тобою он его него ему нему им ним нём нем она её ее неё нее ей ней ею нею оно мы нас нам нами вы вас вам вами они их них ими ними себя себе собой
        мой моя моё мое мои моего моей моих моему моим моими моём моем мою твой твоя твоё твое твои твоего твоей твоих твоему твоим твоими твоём твоем твою свой своя своё свое свои своего своей своих своему своим своими своём своем свою
        наш наша наше наши нашего нашей наших нашему нашим нашими нашем нашу ваш ваша ваше ваши вашего вашей ваших вашему вашим вашими вашем вашу
        этот эта это эти этого этой этих этому этим этими этом эту тот та то те того той тех тому тем теми том ту такой такая такое такие такого таких такому таким такими таком такую сам сама само сами самого самой самих
        весь вся всё все всего всей всех всему всем всеми всём всю каждый каждая каждое каждые каждого каждой любой любая любое любые любого другой другая другое другие один одна одно одни
        кто-то что-то где-то как-то когда-то какой-то какая-то какое-то какие-то кто-нибудь что-нибудь где-нибудь как-нибудь какой-нибудь какие-нибудь
        а и но или либо да же если бы чтобы чтоб потому поэтому так также тоже хотя пока раз будто словно ведь затем потом итак значит однако зато причём причем
        в во на за под подо над по от ото до из изо с со у о об обо к ко при про для через между среди около возле вокруг после перед передо вместо внутри кроме ради благодаря согласно из-за из-под вне
        есть быть был была было были будет будут буду будем будете будешь бывает бывают можно нужно надо могу может можем можете можешь могут мог могла могло могли смогу сможет сможете хочу хочет хотим хотите хочешь хотят хотел
        хотела хотели хотелось хочется нужен нужна нужны должен должна должно должны следует стоит пора пришлось приходится получается существует существуют бывал имеет имеют умеет умеешь умеете знаешь знаете знает
        очень ещё еще уже опять снова сейчас теперь сегодня завтра вчера недавно скоро часто иногда всегда обычно сначала сперва наконец вдруг срочно просто только лишь именно примерно приблизительно возможно наверное видимо кажется
        сразу здесь тут там туда сюда вот вон пожалуйста привет здравствуй здравствуйте приветствую добрый доброе доброго спасибо благодарю ок окей ладно хорошо извини извините прости простите эй алло
        скажи расскажи покажи объясни поясни дай напиши назови найди помоги подскажи посоветуй порекомендуй составь сделай переведи посчитай вычисли рассчитай реши сравни опиши перечисли приведи проверь создай добавь удали убери измени
        поменяй открой закрой включи выключи отправь пришли купи закажи отмени исправь придумай предложи подбери выбери укажи определи оцени ответь спроси запусти останови начни продолжи повтори прочитай посмотри запомни напомни
        сократи перескажи сформулируй подготовь построй нарисуй сгенерируй разбери докажи допустим предположим представь давай попробуй
        """.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).ToFrozenSet(StringComparer.Ordinal);

    /// <summary>What is asked of several or politely, and what one wants to do: no name ends so.</summary>
    private static readonly string[] Endings = ["йте", "ите", "ьте", "йтесь", "итесь", "ьтесь", "ть", "ться"];

    /// <param name="word">In lower case.</param>
    public static bool Contains(string word)
    {
        ArgumentNullException.ThrowIfNull(word);
        var apostrophe = word.AsSpan().IndexOfAny('\'', '’');
        return Words.Contains(apostrophe > 0 ? word[..apostrophe] : word) || (word.Length > 4 && Array.Exists(Endings, e => word.EndsWith(e, StringComparison.Ordinal)));
    }
}
